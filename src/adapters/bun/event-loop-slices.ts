import type { EventLoopSlices } from '../../application/ports/system.ts'

/** A request waits for one step at most, and for what a step takes beyond its slice. */
const MAX_SLICE_MS = 2

export const createEventLoopSlices = (): EventLoopSlices => {
  const waiting: (() => void)[] = []
  let beganAt = performance.now()

  /** One at a time: how long it takes is known in the next turn only. */
  const begin = () => {
    beganAt = performance.now()
    waiting.shift()?.()
    if (waiting.length > 0) setImmediate(begin)
  }

  return {
    isOver: () => performance.now() - beganAt >= MAX_SLICE_MS,
    next: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        if (waiting.length === 1) setImmediate(begin)
      }),
  }
}
