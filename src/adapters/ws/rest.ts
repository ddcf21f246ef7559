/** For each socket that was written to: in a process that has nothing else to do, and in one that has no time left. */
const IDLE_MS = 0.015
const BUSY_MS = 0.035
const LONGEST_MS = 100

/** The share of one core that this process took since it was asked last, 1 at most. */
const createBusyness = (): (() => number) => {
  const taken = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  }
  let before = { at: performance.now(), taken: taken() }
  return () => {
    const now = { at: performance.now(), taken: taken() }
    const share = (now.taken - before.taken) / Math.max(1, now.at - before.at)
    before = now
    return Math.min(1, share)
  }
}

/**
 * How many milliseconds to collect events after so many sockets were written to. Writing to a socket costs the same for
 * one event as for ten, so that the longer the rest, the more is left for requests: a process with time to spare rests
 * little, a busy one about twice as long. Under 1 where it is not worth a timer.
 */
export const createRest = (): ((sockets: number) => number) => {
  const busyness = createBusyness()
  return (sockets) => {
    if (sockets * BUSY_MS < 1) return 0
    return Math.min(LONGEST_MS, sockets * (IDLE_MS + (BUSY_MS - IDLE_MS) * busyness()))
  }
}
