import type { Instant } from '../domain/user.ts'
import { encodeRow } from './archive.ts'
import type { HighestIds, OpenSha256, Row, RowLoader, RowReader, RowSource } from './ports/transfer.ts'

export interface TableSummary {
  readonly rows: number
  /** Over all rows, in order. */
  readonly sha256: string
}

/** By table, in the order of the tables. */
export type TableSummaries = ReadonlyMap<string, TableSummary>

/** Called for each batch of rows. */
type OnRows = (table: string, rows: readonly Row[]) => Promise<void> | void

/** Reads all rows of a table to its end. */
const summarize = async (
  reader: RowReader,
  table: string,
  openSha256: OpenSha256,
  each: OnRows,
): Promise<TableSummary> => {
  const digest = openSha256()
  let count = 0
  for await (const rows of reader.rows(table)) {
    digest.update(rows.map(encodeRow).join(''))
    count += rows.length
    await each(table, rows)
  }
  return { rows: count, sha256: digest.end() }
}

export const summarizeAll = async (
  reader: RowReader,
  tables: readonly string[],
  openSha256: OpenSha256,
  each: OnRows,
): Promise<TableSummaries> => {
  const summaries = new Map<string, TableSummary>()
  for (const table of tables) summaries.set(table, await summarize(reader, table, openSha256, each))
  return summaries
}

/** The tables whose rows differ. */
export const differingTables = (one: TableSummaries, other: TableSummaries): readonly string[] =>
  [...one]
    .filter(([table, { rows, sha256 }]) => other.get(table)?.rows !== rows || other.get(table)?.sha256 !== sha256)
    .map(([table]) => table)

export const countAll = async (reader: RowReader, tables: readonly string[]): Promise<ReadonlyMap<string, number>> => {
  const counts = new Map<string, number>()
  for (const table of tables) counts.set(table, await reader.count(table))
  return counts
}

/**
 * Whether ids assigned after `target` are above all ids that `source` assigned, and positions continue from its last one.
 */
export const hasHighestIds = (source: HighestIds, target: HighestIds): boolean =>
  [...source].every(([table, id]) => (table === 'events' ? target.get(table) === id : (target.get(table) ?? 0) >= id))

export interface RowCopy {
  readonly source: RowSource
  readonly openSha256: OpenSha256
  /** The content of the source, as counted and hashed. */
  readonly expected: TableSummaries
  readonly onWritten: OnRows
  readonly onProved: OnRows
}

/** Fills an empty database, and throws unless it reads back the same as `expected`. */
export const fillTarget = async (loader: RowLoader, copy: RowCopy): Promise<void> => {
  const { source, openSha256, expected, onWritten, onProved } = copy
  const { tables } = source
  const read = await summarizeAll(source, tables, openSha256, async (table, rows) => {
    await loader.insert(table, rows)
    await onWritten(table, rows)
  })
  if (differingTables(expected, read).length > 0 || !source.isUnchanged()) {
    throw new Error('the installation was changed while it was copied: make sure that nothing uses it')
  }
  const highest = await source.highestIds()
  await loader.setHighestIds(highest)
  const written = differingTables(expected, await summarizeAll(loader, tables, openSha256, onProved))
  if (written.length > 0) throw new Error(`the target did not store ${written.join(', ')} unchanged`)
  if (!hasHighestIds(highest, await loader.highestIds())) throw new Error('the target did not accept the highest ids')
}

/** Prints `line()`, limited to once per interval. */
export const createProgressThrottle = (now: () => Instant, print: (line: string) => void, intervalMs = 5_000) => {
  let last = now()
  return (line: () => string): void => {
    if (now() - last < intervalMs) return
    last = now()
    print(line())
  }
}
