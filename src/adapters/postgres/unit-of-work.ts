import type { Metrics } from '../../application/ports/metrics.ts'
import { MAX_MEASURED_USERS_COUNT, type Store } from '../../application/ports/persistence.ts'
import { createBackgroundWorker } from '../sql/background-worker.ts'
import { createStepQueue } from '../sql/step-queue.ts'
import { createCommitQueue } from './commit-queue.ts'
import { type Int8, int } from './connection.ts'
import type { DefinitionCache } from './definitions.ts'
import { createPresentEpoch } from './epochs.ts'
import { toAppError, unavailable } from './errors.ts'
import { createPool, type PoolOptions } from './pool.ts'
import { createReaders } from './repositories.ts'
import { createUnindexedRecords } from './unindexed-records.ts'

interface Options extends PoolOptions {
  /** Bytes that one user may store; unlimited if absent. */
  readonly quotaBytes?: number
  readonly metrics?: Pick<Metrics, 'databaseWaited' | 'committed'> | undefined
  /** Called after a commit that put jobs into the queue. */
  readonly onJobs?: () => void
  /** Called after a commit that appended events to the log. */
  readonly onEvents?: () => void
  /** Milliseconds between checks for records without indexed words, which an older release may have written. */
  readonly indexEveryMs?: number
}

const PING_MS = 2_000
/** On a working server no statement takes this long. */
const RESPONSE_TIMEOUT_MS = 15_000
const INDEX_EVERY_MS = 5_000
/** Maximum number of search steps that use connections at a time. */
const MAX_SEARCHING_COUNT = 2

const withTimeout = async (milliseconds: number, work: Promise<unknown>): Promise<void> => {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(unavailable('The database does not answer')), milliseconds)
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Connections are opened when they are needed. The database must be migrated. */
export const openPostgresStore = ({
  quotaBytes,
  metrics,
  onJobs,
  onEvents,
  indexEveryMs = INDEX_EVERY_MS,
  ...options
}: Options): Store => {
  const epoch = createPresentEpoch()
  const cache: DefinitionCache = new Map()
  const pool = createPool({
    responseTimeoutMs: RESPONSE_TIMEOUT_MS,
    ...options,
    onOpened: epoch.check,
    onWaited: (milliseconds) => metrics?.databaseWaited('connection', milliseconds),
  })
  const commits = createCommitQueue({
    pool,
    epoch,
    cache,
    quotaBytes: quotaBytes ?? null,
    metrics,
    afterCommit({ jobs, events }) {
      if (jobs) onJobs?.()
      if (events) onEvents?.()
    },
  })
  const unindexedRecords = createUnindexedRecords(pool)
  const indexing = createBackgroundWorker(unindexedRecords.step)
  const looking = setInterval(indexing.start, indexEveryMs)
  looking.unref()
  const tx = createReaders(pool, epoch, cache, createStepQueue({ limit: MAX_SEARCHING_COUNT }))

  return {
    write: commits.write,
    async read(work) {
      try {
        return await work(tx)
      } catch (error) {
        throw toAppError(error)
      }
    },
    // Each new connection has already checked the epoch.
    async beginEpoch() {
      await pool.query('SELECT')
    },
    // No commit blocks.
    beginServing() {},
    // Other processes may be running them; jobs of a crashed process return when their lease expires.
    async requeueAbandonedJobs() {},
    async ping() {
      await withTimeout(PING_MS, pool.query('SELECT FROM users LIMIT 1')).catch((error: unknown) => {
        throw toAppError(error)
      })
    },
    async measure() {
      try {
        const [row] = await pool.query<{ database: Int8; users: Int8 }>(
          `SELECT pg_database_size(current_database()) AS database,
             (SELECT coalesce(sum(bytes), 0)::bigint FROM (SELECT bytes FROM usage LIMIT ${MAX_MEASURED_USERS_COUNT}) AS measured) AS users`,
        )
        return { database: int(row?.database ?? '0'), users: int(row?.users ?? '0') }
      } catch (error) {
        throw toAppError(error)
      }
    },
    async close(timeoutMs = Number.POSITIVE_INFINITY) {
      clearInterval(looking)
      indexing.stop()
      const end = performance.now() + timeoutMs
      await commits.close(timeoutMs)
      await pool.close(Math.max(0, end - performance.now()))
    },
  }
}
