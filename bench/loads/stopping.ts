/** Whether a load program is to go on: not after SIGTERM, and not longer than so many seconds. */
export const createStopCheck = (seconds: number): (() => boolean) => {
  let stopped = false
  process.once('SIGTERM', () => {
    stopped = true
  })
  const end = performance.now() + seconds * 1_000
  return () => !stopped && performance.now() < end
}
