/** Pause per socket that was written to: in an idle process, and in a fully loaded one. */
const IDLE_MS_PER_SOCKET = 0.015
const BUSY_MS_PER_SOCKET = 0.035
const MAX_DELAY_MS = 100

/** Both in milliseconds since any moment. */
interface Clock {
  readonly now: () => number
  /** CPU time that this process has used, on all cores. */
  readonly cpu: () => number
}

const PROCESS_CLOCK: Clock = {
  now: () => performance.now(),
  cpu() {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  },
}

/** The share of one core that this process has used since the last call, at most 1. */
const createBusyness = ({ now, cpu }: Clock): (() => number) => {
  const measure = () => ({ at: now(), cpu: cpu() })
  let before = measure()
  return () => {
    const after = measure()
    const busy = (after.cpu - before.cpu) / Math.max(1, after.at - before.at)
    before = after
    return Math.min(1, busy)
  }
}

interface Options {
  /** Each of them writes to a part of the sockets of the process. */
  readonly threadsCount?: number
  readonly clock?: Clock
}

/**
 * How many milliseconds to collect events after writing to this number of sockets. Writing to a socket costs the same
 * for one event as for ten, so a longer pause leaves more time for requests: an idle process pauses briefly, a busy one
 * about twice as long, and one with several threads as if a thread had the sockets of all. Below 1 if a timer is not
 * worth it.
 */
export const createCoalesceDelay = ({
  threadsCount = 1,
  clock = PROCESS_CLOCK,
}: Options = {}): ((ownSockets: number) => number) => {
  const busyness = createBusyness(clock)
  return (ownSockets) => {
    const sockets = ownSockets * threadsCount
    if (sockets * BUSY_MS_PER_SOCKET < 1) return 0
    return Math.min(
      MAX_DELAY_MS,
      sockets * (IDLE_MS_PER_SOCKET + (BUSY_MS_PER_SOCKET - IDLE_MS_PER_SOCKET) * busyness()),
    )
  }
}
