import { AppError } from '../../domain/errors.ts'
import type { Connection } from './database.ts'

type LookUp<Row> = (id: number) => Row | null

/** Makes a look-up that asks again only when it has to. */
export type Remember = <Row extends object>(find: LookUp<Row>) => LookUp<Row>

export interface Snapshots {
  /** To be called before a read, which then sees what was committed when the first read of this turn began. */
  hold(): void
  /** Lets go, so that the next read sees what was committed since. */
  release(): void
  /**
   * Reads see what is committed now, and nothing newer, until what this answers is called; that lets go, too. An I/O
   * error may end that snapshot sooner: reads are refused then.
   */
  pin(): () => void
  /**
   * A look-up that finds each row once until something is committed, by whatever process. Whoever gets a row gets the
   * same object as others. Rows with much text are not remembered.
   */
  readonly remember: Remember
}

/** Of each look-up. */
const MOST_ROWS = 1_000
/** Characters of a row. */
const MOST_TEXT = 2_048

const textOf = (row: object): number =>
  Object.values(row).reduce((sum: number, value: unknown) => sum + (typeof value === 'string' ? value.length : 0), 0)

const lost = () => new AppError('unavailable', 'The database is not available', { retryAfter: 1 })

export const rememberNothing: Remember = (find) => find

/** One read transaction a turn of the event loop: taking and leaving SQLite's locks costs more than reading a row. */
export const createSnapshots = (reader: Connection): Snapshots => {
  const begin = reader.prepare('BEGIN')
  // Of a transaction that only reads, COMMIT fails when a read in it did.
  const end = reader.prepare('ROLLBACK')
  // Another number whenever another connection has committed (https://sqlite.org/pragma.html#pragma_data_version).
  const dataVersion = reader.prepare<{ data_version: number }, []>('PRAGMA data_version')
  const memories: Map<number, object>[] = []
  let remembered = 0
  let held = false
  let pinned = false
  /** Whether what is remembered is what this snapshot holds. */
  let current = false

  const release = () => {
    if (!held || pinned) return
    held = false
    current = false
    // An I/O error has ended the transaction already.
    if (reader.database.inTransaction) end.run()
  }

  const hold = () => {
    if (pinned && !reader.database.inTransaction) throw lost()
    if (held) return
    begin.run()
    held = true
    setImmediate(release)
    const version = dataVersion.get()?.data_version ?? 0
    if (version !== remembered) for (const memory of memories) memory.clear()
    remembered = version
    current = true
  }

  return {
    hold,
    release,
    pin() {
      // What failed to begin holds nothing, and an I/O error ends what has begun.
      if (!current || !reader.database.inTransaction) release()
      hold()
      pinned = true
      return () => {
        pinned = false
        release()
      }
    },
    remember<Row extends object>(find: LookUp<Row>): LookUp<Row> {
      const memory = new Map<number, Row>()
      memories.push(memory)
      return (id) => {
        if (!current) return find(id)
        const known = memory.get(id)
        if (known !== undefined) return known
        const row = find(id)
        if (row === null || textOf(row) > MOST_TEXT) return row
        if (memory.size >= MOST_ROWS) memory.clear()
        memory.set(id, row)
        return row
      }
    },
  }
}
