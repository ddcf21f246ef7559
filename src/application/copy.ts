import { AppError } from '../domain/errors.ts'
import { copyFiles, type FileCounts } from './copy-files.ts'
import {
  countAll,
  createProgressThrottle,
  differingTables,
  fillTarget,
  hasHighestIds,
  summarizeAll,
  type TableSummaries,
} from './copy-rows.ts'
import type { Clock } from './ports/system.ts'
import type { MovableBlobs, OpenSha256, RowReader, RowSource, RowTarget } from './ports/transfer.ts'

interface Deps {
  readonly source: RowSource
  readonly target: RowTarget
  readonly from: MovableBlobs
  /** Null when the files stay where they are. */
  readonly to: MovableBlobs | null
  readonly openSha256: OpenSha256
  readonly clock: Clock
  /** Called now and then with the progress. */
  onProgress(line: string): void
  /** Called for each fault that prevents the copy. */
  complain(line: string): void
  readonly signal: AbortSignal
}

/** How many faults are listed; further ones are only counted. */
const MAX_NAMED_COUNT = 20

const isEmpty = (counts: ReadonlyMap<string, number>) => [...counts.values()].every((count) => count === 0)

const plural = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`

type Progress = ReturnType<typeof createProgressThrottle>

/** What is done to rows, and what to call with each piece of a table. Throws if the copy was interrupted. */
type Watch = (doing: string) => (table: string, piece: readonly unknown[]) => void

const createWatch =
  (signal: AbortSignal, progress: Progress): Watch =>
  (doing) => {
    let rows = 0
    return (table, piece) => {
      signal.throwIfAborted()
      rows += piece.length
      progress(() => `  ${doing} ${plural(rows, 'row')}, at ${table}`)
    }
  }

/** Throws if the target cannot store all rows. */
const summarizeSource = async (
  { source, target, openSha256, complain }: Deps,
  watch: Watch,
): Promise<TableSummaries> => {
  let misfits = 0
  const seen = watch('read')
  const summaries = await summarizeAll(source, source.tables, openSha256, (table, rows) => {
    seen(table, rows)
    for (const row of rows) {
      const why = target.findUnsupportedValue(table, row)
      if (why !== null && ++misfits <= MAX_NAMED_COUNT) complain(why)
    }
  })
  if (misfits > 0) throw new Error(`${plural(misfits, 'row')} cannot be copied: nothing was written`)
  return summaries
}

/** Whether the target is a finished copy. Throws if it is neither that nor empty. */
const isFinishedCopy = async (
  { source, openSha256 }: Deps,
  watch: Watch,
  reader: RowReader,
  expected: TableSummaries,
): Promise<boolean> => {
  const { tables } = source
  const counts = await countAll(reader, tables)
  if (isEmpty(counts)) {
    const hasRows = [...expected.values()].some(({ rows }) => rows > 0)
    return !hasRows && hasHighestIds(await source.highestIds(), await reader.highestIds())
  }
  const others = tables.filter((table) => counts.get(table) !== expected.get(table)?.rows)
  const different =
    others.length > 0
      ? others
      : differingTables(expected, await summarizeAll(reader, tables, openSha256, watch('compared')))
  if (different.length === 0 && hasHighestIds(await source.highestIds(), await reader.highestIds())) return true
  const found = different.map((table) => `${table} (${counts.get(table)} there, ${expected.get(table)?.rows} here)`)
  const where = found.length === 0 ? 'the ids it gave out' : found.join(', ')
  throw new Error(`the target is neither empty nor a copy of this installation; it differs in ${where}`)
}

/** Throws if some have no bytes, or other ones than when they were stored. */
const copyAllFiles = async (deps: Deps, progress: Progress, count: number): Promise<FileCounts> => {
  const { source, from, to, openSha256, onProgress, complain, signal } = deps
  onProgress(
    to === null ? `Checking ${plural(count, 'file')}, which stay where they are` : `Copying ${plural(count, 'file')}`,
  )
  let done = 0
  const counts = await copyFiles({
    files: source.rows('files'),
    from,
    to,
    openSha256,
    signal,
    complain,
    done() {
      done++
      progress(() => `  ${done} of ${plural(count, 'file')}`)
    },
  })
  if (counts.faulty === 0) return counts
  const what = plural(counts.faulty, 'file has', 'files have')
  throw new Error(`${what} no sound bytes: restore or delete what is named above, then copy again; no row was written`)
}

const copyAll = async (deps: Deps): Promise<void> => {
  const { source, target, to, openSha256, clock, onProgress, signal } = deps
  const progress = createProgressThrottle(() => clock.now(), onProgress)
  const watch = createWatch(signal, progress)

  onProgress('Reading the installation')
  const expected = await summarizeSource(deps, watch)
  signal.throwIfAborted()
  await target.prepare()
  const finished = await target.read((reader) => isFinishedCopy(deps, watch, reader, expected))
  const files = await copyAllFiles(deps, progress, expected.get('files')?.rows ?? 0)
  if (!finished) {
    const rows = [...expected.values()].reduce((sum, summary) => sum + summary.rows, 0)
    onProgress(`Copying ${plural(rows, 'row')}`)
    await target.load(async (loader) => {
      // Checked again, now that nobody else can write.
      if (!isEmpty(await countAll(loader, source.tables))) throw new Error('the target was written to during the copy')
      await fillTarget(loader, { source, openSha256, expected, onWritten: watch('wrote'), onProved: watch('proved') })
    })
  }
  for (const [table, { rows, sha256 }] of expected) onProgress(`  ${table}: ${plural(rows, 'row')}, SHA-256 ${sha256}`)
  const moved =
    to === null
      ? `${plural(files.sound, 'file')} in place`
      : `${plural(files.sound, 'file')} there, ${files.written} written`
  onProgress(finished ? `The target is a finished copy already (${moved})` : `Copied and verified (${moved})`)
}

/**
 * Copies an installation: first files that the target does not have, then all rows in one transaction, which commits
 * only if the target reads back the same rows. A second run continues after an interruption; if the copy is finished
 * and unused, it only verifies it. Rejects with a message for operators if the copy is not complete.
 */
export const copyInstallation = async (deps: Deps): Promise<void> => {
  try {
    await copyAll(deps)
  } catch (error) {
    // Unlike clients, operators see the cause.
    if (!(error instanceof AppError && error.cause instanceof Error)) throw error
    throw new Error(`${error.message}: ${error.cause.message}`, { cause: error })
  }
}
