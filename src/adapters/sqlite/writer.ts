import type { Connection } from './database.ts'
import { createRowCache, type RowCache } from './row-cache.ts'

/** The writer connection and its transaction. After a failure the connection is replaced. */
export interface Writer<Tx> {
  /** Begins a transaction, on a new connection if the last one was discarded. Throws what either throws. */
  begin(): void
  /** The repositories of the transaction. */
  readonly tx: Tx
  readonly inTransaction: boolean
  /** Begins a unit. With `isSaved`, it can be rolled back alone; a savepoint costs more than most of its statements. */
  beginUnit(isSaved: boolean): void
  /** Ends the unit. Throws if the unit must fail; in that case it must be rolled back. */
  endUnit(): void
  /** Rolls back a saved unit; it must still be ended. */
  rollbackUnit(): void
  /** Returns the number of rows that were changed. */
  commit(): number
  /**
   * Ends a transaction that cannot be committed, and discards a connection that does not even roll back. Never throws.
   */
  rollback(): void
  /** Closes the connection, whatever is in it. Never throws. */
  discard(): void
  close(): void
}

/** Changes that are written together just before the commit, because savepoints make them expensive. */
export interface DeferredWrites {
  /** A unit begins. */
  unitBegun(): void
  /** A unit is about to end. Throws if the unit must fail. */
  checkUnit(): void
  /** Drops the changes since the last mark. */
  undoUnit(): void
  /** Drops all changes. */
  discard(): void
  /** Makes the changes. */
  write(): void
}

export interface Repositories<Tx> {
  readonly tx: Tx
  readonly deferred: readonly DeferredWrites[]
}

interface Options<Tx> {
  /** Called again when a connection was discarded. */
  readonly open: () => Connection
  /**
   * `cache` has look-up results that units share, also those of later transactions. Whoever changes what was looked up
   * drops it. The cache is cleared when a unit or a transaction is rolled back, and before a transaction if another
   * connection has committed.
   */
  readonly repositories: (connection: Connection, cache: RowCache) => Repositories<Tx>
}

const isDone = (work: () => void): boolean => {
  try {
    work()
    return true
  } catch {
    return false
  }
}

const openWith = <Tx>({ open, repositories }: Options<Tx>) => {
  const connection = open()
  const statement = (sql: string) => connection.prepare<unknown, []>(sql)
  // SQLite may have rolled back by itself, so earlier look-ups may be outdated.
  const cache = createRowCache(() => connection.database.inTransaction)
  return {
    connection,
    cache,
    ...repositories(connection, cache),
    begin: statement('BEGIN IMMEDIATE'),
    save: statement('SAVEPOINT unit'),
    release: statement('RELEASE unit'),
    undo: statement('ROLLBACK TO unit'),
    commit: statement('COMMIT'),
    rollback: statement('ROLLBACK'),
    totalChanges: connection.prepare<{ count: number }, []>('SELECT total_changes() AS count'),
    writtenCount: 0,
    // Changes whenever another connection has committed (https://sqlite.org/pragma.html#pragma_data_version).
    dataVersion: connection.prepare<{ data_version: number }, []>('PRAGMA data_version'),
    cachedVersion: 0,
  }
}

type OpenConnection<Tx> = ReturnType<typeof openWith<Tx>>

export const createWriter = <Tx>(options: Options<Tx>): Writer<Tx> => {
  let present: OpenConnection<Tx> | null = openWith(options)
  let isUnitSaved = false

  const current = (): OpenConnection<Tx> => {
    if (present === null) throw new Error('the writing connection was discarded')
    return present
  }

  const discard = () => {
    const discarded = present
    present = null
    if (discarded === null) return
    const { connection, rollback } = discarded
    isDone(() => connection.database.inTransaction && rollback.run())
    isDone(() => connection.close())
  }

  return {
    begin() {
      if (present?.connection.database.inTransaction) discard()
      present ??= openWith(options)
      present.begin.run()
      const version = present.dataVersion.get()?.data_version ?? 0
      if (version !== present.cachedVersion) present.cache.clear()
      present.cachedVersion = version
    },
    get tx() {
      return current().tx
    },
    get inTransaction() {
      return current().connection.database.inTransaction
    },
    beginUnit(isSaved) {
      const { save, deferred } = current()
      if (isSaved) save.run()
      isUnitSaved = isSaved
      for (const changes of deferred) changes.unitBegun()
    },
    endUnit() {
      const { release, deferred } = current()
      for (const changes of deferred) changes.checkUnit()
      if (isUnitSaved) release.run()
    },
    rollbackUnit() {
      const { undo, deferred, cache } = current()
      undo.run()
      cache.clear()
      for (const changes of deferred) changes.undoUnit()
    },
    commit() {
      const writing = current()
      for (const changes of writing.deferred) changes.write()
      writing.commit.run()
      const before = writing.writtenCount
      writing.writtenCount = writing.totalChanges.get()?.count ?? before + 1
      return writing.writtenCount - before
    },
    rollback() {
      if (present === null) return
      const { connection, cache, deferred, rollback } = present
      cache.clear()
      for (const changes of deferred) changes.discard()
      if (connection.database.inTransaction && !isDone(() => rollback.run())) discard()
    },
    discard,
    close() {
      present?.connection.close()
      present = null
    },
  }
}
