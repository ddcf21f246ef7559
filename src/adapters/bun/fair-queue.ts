import { AppError } from '../../domain/errors.ts'

interface Options {
  /** Maximum number of concurrent runs. */
  readonly concurrency: number
  /** Maximum number of waiting callers. */
  readonly waiting: number
  /** Milliseconds after which a waiting caller is refused. */
  readonly turnTimeoutMs: number
}

interface Waiting {
  readonly since: number
  readonly begin: () => void
  readonly refuse: (reason: AppError) => void
}

export interface FairQueue {
  /**
   * Runs `work` when it is the turn of its source. Rejects with `overloaded` if too many callers wait, or this one
   * waits too long.
   */
  run<T>(source: string, work: () => Promise<T>): Promise<T>
}

const overloaded = () => new AppError('overloaded', 'Too many passwords are being checked', { retryAfterSeconds: 5 })

/**
 * Sources take turns, however many callers of each are waiting. When the queue is full, a caller of a source with fewer
 * waiting replaces the newest of the source with the most, so that no source can lock out others.
 */
export const createFairQueue = ({ concurrency, waiting, turnTimeoutMs }: Options): FairQueue => {
  /** By source, in the order of their turns. Each has at least one waiting. */
  const queues = new Map<string, Waiting[]>()
  let waitingCount = 0
  let running = 0

  /** The next caller that has not timed out. */
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

  /** Refuses the newest of the source with the most waiting, unless `source` would have as many. */
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
