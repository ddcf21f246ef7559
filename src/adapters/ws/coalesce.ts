/** Pause per socket that was written to: in an idle process, and in a fully loaded one, which may have several threads. */
const IDLE_MS_PER_SOCKET = 0.015
const BUSY_MS_PER_SOCKET = { oneThread: 0.035, threads: 0.08 } as const
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
 * about twice as long. One with several threads pauses as if a thread had the sockets of all, and twice as long again while
 * it is busy: one thread gains nothing by that. Below 1 if a timer is not worth it.
 */
export const createCoalesceDelay = ({
  threadsCount = 1,
  clock = PROCESS_CLOCK,
}: Options = {}): ((ownSockets: number) => number) => {
  const busyness = createBusyness(clock)
  const busyMsPerSocket = threadsCount === 1 ? BUSY_MS_PER_SOCKET.oneThread : BUSY_MS_PER_SOCKET.threads
  return (ownSockets) => {
    const sockets = ownSockets * threadsCount
    if (sockets * busyMsPerSocket < 1) return 0
    return Math.min(MAX_DELAY_MS, sockets * (IDLE_MS_PER_SOCKET + (busyMsPerSocket - IDLE_MS_PER_SOCKET) * busyness()))
  }
}
