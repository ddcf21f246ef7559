import type { Metrics } from './metrics.ts'
import type { Store } from './persistence.ts'

/** The limits of a store, and the callbacks for work on it. */
export interface StoreOptions {
  /** Bytes that one user may store; without it, any. */
  readonly quotaBytes?: number
  readonly metrics?: Pick<Metrics, 'databaseWaited' | 'committed'>
  /** Called after a commit that put jobs into the queue. */
  readonly onJobs?: () => void
  /** Called after a commit that appended events to the log. */
  readonly onEvents?: () => void
}

/** A database that may be missing, behind or in use, with all that is needed to serve it. */
export interface Engine {
  /** Names of the migrations that were applied. */
  migrate(): Promise<readonly string[]>
  /** Names of the migrations that are missing. Creates nothing. */
  pending(): Promise<readonly string[]>
  /** Migrates an embedded database, rejects when another lacks migrations. Answers as {@link Engine.migrate}. */
  catchUp(): Promise<readonly string[]>
  /** Keeps other servers from a database that one alone may serve, or throws. Answers how to let go of it. */
  lock(): () => void
  /** The database must be up to date. */
  open(hooks?: StoreOptions): Store
}
