import type { EventLoopSlices } from '../../application/ports/system.ts'

/** A request waits for one step at most, and for what a step takes beyond its slice. */
const MAX_SLICE_MS = 2

/** A slice begins with the first call in a turn of the event loop, or when waiting work continues, and ends with the turn. */
export const createEventLoopSlices = (): EventLoopSlices => {
  const waiting: (() => void)[] = []
  let beganAt: number | null = null
  let isScheduled = false

  const begin = (): number => {
    endInNextTurn()
    beganAt = performance.now()
    return beganAt
  }

  /** One at a time: how long it takes is known in the next turn only. */
  const end = () => {
    isScheduled = false
    beganAt = null
    const goOn = waiting.shift()
    if (goOn === undefined) return
    begin()
    goOn()
  }

  const endInNextTurn = () => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(end)
  }

  return {
    isOver: () => performance.now() - (beganAt ?? begin()) >= MAX_SLICE_MS,
    next: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        endInNextTurn()
      }),
  }
}
