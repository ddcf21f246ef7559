import type { Connection } from './database.ts'

/** The writing connection with its repositories and the statements that frame transactions. */
export interface Writer<Tx> {
  readonly tx: Tx
  begin(): void
  /** Whether anything was written. */
  commit(): boolean
  /** Opens a savepoint, so that one unit of a transaction can fail alone. */
  save(): void
  /** Throws what the unit must fail with; then it is to be undone. */
  keep(): void
  undo(): void
  readonly inTransaction: boolean
}

/** Changes that go in together just before the commit, because every savepoint makes them dear. */
export interface Deferred {
  /** A unit begins. */
  mark(): void
  /** A unit is about to end. Throws what it must fail with. */
  check(): void
  /** Forgets what came since the last mark. */
  undo(): void
  /** Forgets everything. */
  clear(): void
  /** Makes the changes. */
  flush(): void
}

/** Several as one. */
export const deferredTogether = (all: readonly Deferred[]): Deferred => {
  const each = (step: keyof Deferred) => () => {
    for (const deferred of all) deferred[step]()
  }
  return { mark: each('mark'), check: each('check'), undo: each('undo'), clear: each('clear'), flush: each('flush') }
}

export interface Repositories<Tx> {
  readonly tx: Tx
  readonly deferred: Deferred
}

export interface WriterSource<Tx> {
  /** The writer, opened anew when the last one was given up. Throws what opening throws. */
  current(): Writer<Tx>
  /** Ends a transaction that cannot be committed; the connection with it, when it does not even roll back. Never throws. */
  abandon(): void
  /** Closes the connection, whatever is in it: another takes its place. Never throws. */
  giveUp(): void
  close(): void
}

const attempt = (work: () => void): boolean => {
  try {
    work()
    return true
  } catch {
    return false
  }
}

export const createWriterSource = <Tx>(
  open: () => Connection,
  repositories: (connection: Connection) => Repositories<Tx>,
): WriterSource<Tx> => {
  const start = () => {
    const connection = open()
    const begin = connection.prepare('BEGIN IMMEDIATE')
    const commit = connection.prepare('COMMIT')
    const rollback = connection.prepare('ROLLBACK')
    const save = connection.prepare('SAVEPOINT unit')
    const keep = connection.prepare('RELEASE unit')
    const undo = connection.prepare('ROLLBACK TO unit')
    const total = connection.prepare<{ rows: number }, []>('SELECT total_changes() AS rows')
    let written = 0
    const { tx, deferred } = repositories(connection)
    return {
      connection,
      tx,
      begin: () => void begin.run(),
      commit() {
        deferred.flush()
        commit.run()
        const before = written
        written = total.get()?.rows ?? before + 1
        return written !== before
      },
      rollback() {
        deferred.clear()
        rollback.run()
      },
      save() {
        save.run()
        deferred.mark()
      },
      keep() {
        deferred.check()
        keep.run()
      },
      undo() {
        undo.run()
        deferred.undo()
      },
      /** SQLite rolled back by itself: what waits for the commit is void too. */
      forget: () => deferred.clear(),
      get inTransaction() {
        return connection.database.inTransaction
      },
    }
  }
  let writer: ReturnType<typeof start> | null = start()

  const giveUp = () => {
    const lost = writer
    writer = null
    if (lost === null) return
    attempt(() => lost.inTransaction && lost.rollback())
    attempt(() => lost.connection.close())
  }

  return {
    current() {
      if (writer?.inTransaction) giveUp()
      writer ??= start()
      return writer
    },
    abandon() {
      const held = writer
      if (held === null) return
      if (held.inTransaction && !attempt(() => held.rollback())) giveUp()
      else held.forget()
    },
    giveUp,
    close() {
      writer?.connection.close()
      writer = null
    },
  }
}
