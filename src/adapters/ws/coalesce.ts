/** For each socket that was written to: in a process that has nothing else to do, and in one that has no time left. */
const IDLE_MS_PER_SOCKET = 0.015
const BUSY_MS_PER_SOCKET = 0.035
const MAX_DELAY_MS = 100

/** The part of one core that this process used since the last call, 1 at most. */
const createBusyness = (): (() => number) => {
  const taken = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  }
  let before = { at: performance.now(), taken: taken() }
  return () => {
    const now = { at: performance.now(), taken: taken() }
    const busy = (now.taken - before.taken) / Math.max(1, now.at - before.at)
    before = now
    return Math.min(1, busy)
  }
}

/**
 * How many milliseconds to collect events after so many sockets were written to. Writing to a socket costs the same for
 * one event as for ten, so that the longer the delay, the more is left for requests: a process with time to spare waits
 * little, a busy one about twice as long. Under 1 where it is not worth a timer.
 */
export const createCoalesceDelay = (): ((sockets: number) => number) => {
  const busyness = createBusyness()
  return (sockets) => {
    if (sockets * BUSY_MS_PER_SOCKET < 1) return 0
    return Math.min(
      MAX_DELAY_MS,
      sockets * (IDLE_MS_PER_SOCKET + (BUSY_MS_PER_SOCKET - IDLE_MS_PER_SOCKET) * busyness()),
    )
  }
}
