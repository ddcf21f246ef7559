import { AppError } from '../../domain/errors.ts'

interface Options {
  /** How many run at the same time. */
  readonly concurrency: number
  /** How many may wait for their turn. */
  readonly waiting: number
  /** Milliseconds after which one who still waits is refused. */
  readonly turnTimeoutMs: number
}

interface Waiting {
  readonly since: number
  readonly begin: () => void
  readonly refuse: (reason: AppError) => void
}

export interface FairQueue {
  /** Runs `work` when it is the turn of its source. Rejects with `overloaded` when too many wait, or for too long. */
  run<T>(source: string, work: () => Promise<T>): Promise<T>
}

const overloaded = () => new AppError('overloaded', 'Too many passwords are being checked', { retryAfter: 5 })

/**
 * Sources take turns, however many wait of each. When the queue is full, a source with fewer waiting takes the place of
 * the newest of the one with the most: so none can keep the others out.
 */
export const createFairQueue = ({ concurrency, waiting, turnTimeoutMs }: Options): FairQueue => {
  /** By source, in the order of their turns. Each has at least one waiting. */
  const queues = new Map<string, Waiting[]>()
  let waitingCount = 0
  let running = 0

  /** The next whose turn has not come too late. */
  const next = (): Waiting | undefined => {
    for (const [source, queue] of queues) {
      const first = queue.shift()
      queues.delete(source)
      if (queue.length > 0) queues.set(source, queue)
      if (first === undefined) continue
      waitingCount--
      if (performance.now() - first.since <= turnTimeoutMs) return first
      first.refuse(overloaded())
    }
    return undefined
  }

  /** Refuses the newest of the source with the most waiting, unless that is no more than what `source` would have. */
  const makeRoom = (source: string): void => {
    let longest: Waiting[] = []
    for (const queue of queues.values()) if (queue.length > longest.length) longest = queue
    if (longest.length <= (queues.get(source)?.length ?? 0) + 1) throw overloaded()
    longest.pop()?.refuse(overloaded())
    waitingCount--
  }

  const turn = (source: string): Promise<void> => {
    if (waitingCount >= waiting) makeRoom(source)
    return new Promise((begin, refuse) => {
      const queue = queues.get(source) ?? []
      queue.push({ since: performance.now(), begin, refuse })
      queues.set(source, queue)
      waitingCount++
    })
  }

  return {
    async run(source, work) {
      if (running >= concurrency) await turn(source)
      else running++
      try {
        return await work()
      } finally {
        const following = next()
        if (following !== undefined) following.begin()
        else running--
      }
    },
  }
}
