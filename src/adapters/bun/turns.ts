import type { Turns } from '../../application/ports/system.ts'

/** A request waits for one step at most, and for what a step goes beyond its share. */
const MAX_TURN_MS = 2

export const createTurns = (): Turns => {
  let beganAt = performance.now()
  let following: Promise<void> | null = null
  const isOver = () => performance.now() - beganAt >= MAX_TURN_MS
  const yieldToEventLoop = () =>
    new Promise<void>((resolve) => {
      setImmediate(() => {
        following = null
        beganAt = performance.now()
        resolve()
      })
    })
  return {
    isOver,
    async next() {
      // Of those who waited for the same turn, the first may have used it up.
      while (isOver()) {
        following ??= yieldToEventLoop()
        await following
      }
    },
  }
}
