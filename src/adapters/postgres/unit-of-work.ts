import type { Metrics } from '../../application/ports/metrics.ts'
import type { Store } from '../../application/ports/persistence.ts'
import { toAppError, unavailable } from './errors.ts'
import { createGroupCommit } from './group-commit.ts'
import { createPool, type PoolOptions } from './pool.ts'
import { reading } from './repositories.ts'

interface Options extends PoolOptions {
  /** Bytes that one user may store; without it, any. */
  readonly quotaBytes?: number
  readonly metrics?: Pick<Metrics, 'databaseWaited' | 'committed'> | undefined
  /** Called after a commit that put jobs into the queue. */
  readonly onJobs?: () => void
  /** Called after a commit that appended events to the log. */
  readonly onEvents?: () => void
}

const PING_MS = 2_000
/** No statement of ours takes as long on a server that works. */
const SILENCE_MS = 15_000

const within = async (milliseconds: number, work: Promise<unknown>): Promise<void> => {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(unavailable('The database does not answer')), milliseconds)
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Opens no connection before it is needed. The database must be migrated. */
export const openPostgresStore = ({ quotaBytes, metrics, onJobs, onEvents, ...options }: Options): Store => {
  const pool = createPool({
    silence: SILENCE_MS,
    ...options,
    onWaited: (milliseconds) => metrics?.databaseWaited('connection', milliseconds),
  })
  const commits = createGroupCommit({
    pool,
    quotaBytes: quotaBytes ?? null,
    metrics,
    afterCommit({ jobs, events }) {
      if (jobs) onJobs?.()
      if (events) onEvents?.()
    },
  })
  const tx = reading(pool)

  return {
    write: commits.write,
    async read(work) {
      try {
        return await work(tx)
      } catch (error) {
        throw toAppError(error)
      }
    },
    // Other processes may be at work on them: what they leave behind comes back when its lease is over.
    async takeBackJobs() {},
    async ping() {
      await within(PING_MS, pool.query('SELECT FROM users LIMIT 1')).catch((error: unknown) => {
        throw toAppError(error)
      })
    },
    async close(timeout = Number.POSITIVE_INFINITY) {
      const end = performance.now() + timeout
      await commits.close(timeout)
      await pool.close(Math.max(0, end - performance.now()))
    },
  }
}
