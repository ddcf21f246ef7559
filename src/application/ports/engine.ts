import type { Metrics } from './metrics.ts'
import type { Store } from './persistence.ts'

/** The limits of a store, and its listeners. */
export interface StoreOptions {
  /** Bytes that one user may store; unlimited if absent. */
  readonly quotaBytes?: number
  readonly metrics?: Pick<Metrics, 'databaseWaited' | 'committed'>
  /** Called after a commit that put jobs into the queue. */
  readonly onJobs?: () => void
  /** Called after a commit that appended events to the log. */
  readonly onEvents?: () => void
}

/** A database that may be missing, not migrated or in use. */
export interface Engine {
  /** Names of the migrations that were applied. Rejects if a server has an embedded database open that needs some. */
  migrate(): Promise<readonly string[]>
  /** Names of the pending migrations. Creates nothing. */
  pending(): Promise<readonly string[]>
  /**
   * Migrates an embedded database, as {@link Engine.migrate} does; for other databases, rejects if migrations are
   * pending.
   */
  ensureMigrated(): Promise<readonly string[]>
  /** Locks a database that only one server may use, or throws. Returns a function that releases the lock. */
  lock(): () => void
  /** The database must be up to date. */
  open(options?: StoreOptions): Store
}
