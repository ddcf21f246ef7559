import type { Connection } from './database.ts'

/** The writing connection with its repositories and the statements that frame transactions. */
export interface Writer<Tx> {
  readonly tx: Tx
  begin(): void
  commit(): void
  /** Opens a savepoint, so that one unit of a transaction can fail alone. */
  save(): void
  keep(): void
  undo(): void
  readonly inTransaction: boolean
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
  repositories: (connection: Connection) => Tx,
): WriterSource<Tx> => {
  const start = () => {
    const connection = open()
    const begin = connection.prepare('BEGIN IMMEDIATE')
    const commit = connection.prepare('COMMIT')
    const rollback = connection.prepare('ROLLBACK')
    const save = connection.prepare('SAVEPOINT unit')
    const keep = connection.prepare('RELEASE unit')
    const undo = connection.prepare('ROLLBACK TO unit')
    return {
      connection,
      rollback: () => void rollback.run(),
      tx: repositories(connection),
      begin: () => void begin.run(),
      commit: () => void commit.run(),
      save: () => void save.run(),
      keep: () => void keep.run(),
      undo: () => void undo.run(),
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
      if (held?.inTransaction && !attempt(() => held.rollback())) giveUp()
    },
    giveUp,
    close() {
      writer?.connection.close()
      writer = null
    },
  }
}
