import { encodeRow, highestIdsOf, type Manifest } from './archive.ts'
import { type ArchiveContext, type ArchiveSink, type ReadArchive, readArchive } from './backup-reading.ts'
import { differingTables, summarizeAll, type TableSummaries } from './copy-rows.ts'
import { type ArchiveEntry, BadArchive } from './ports/backups.ts'
import type { StoredBlob } from './ports/blobs.ts'
import type { Digest, EmptyTarget, MovableBlobs, OpenSha256, Row, RowLoader } from './ports/transfer.ts'

export interface Restored extends ReadArchive {
  readonly rows: number
}

export interface RestoreDeps {
  /** The entries of the archive, from its beginning each time. */
  readonly open: () => AsyncIterable<ArchiveEntry>
  readonly context: ArchiveContext
  readonly target: EmptyTarget
  readonly blobs: MovableBlobs
  readonly newNonce: () => string
  /** Called with messages for operators. */
  onProgress(line: string): void
}

const readAll = async (body: AsyncIterable<Uint8Array>): Promise<void> => {
  for await (const _ of body);
}

const ignoreFaulty = () => {}

/** Reads the whole archive, and throws if anything is wrong with it or the target could not store it. */
const checkArchive = ({ open, context, target }: RestoreDeps): Promise<ReadArchive> => {
  const sink: ArchiveSink = {
    async onRows(table, rows) {
      for (const row of rows) {
        const why = target.findUnsupportedValue(table, row)
        if (why !== null) throw new Error(why)
      }
    },
    onFile: (_, body) => readAll(body),
    onFaulty: ignoreFaulty,
  }
  return readArchive(open(), sink, context)
}

const BACKUP_JOBS: readonly unknown[] = ['backup', 'verify-backup', 'delete-archive', 'scheduled-backup']

/** Work that a restored installation must not continue: it concerns the archives of the original one. */
export const restoredRows = (table: string, rows: readonly Row[]): readonly Row[] => {
  if (table === 'jobs') {
    return rows.filter(({ kind, state }) => !BACKUP_JOBS.includes(kind) || state === 'done' || state === 'dead')
  }
  if (table !== 'backups') return rows
  return rows.map((row) =>
    row.state === 'running'
      ? { ...row, state: 'failed', name: null, detail: 'It was running when the installation was backed up' }
      : row,
  )
}

/** Counts and hashes rows as {@link summarizeAll} does. */
const createSummaries = (tables: readonly string[], openSha256: OpenSha256) => {
  const sums = new Map<string, { rows: number; readonly digest: Digest }>()
  for (const table of tables) sums.set(table, { rows: 0, digest: openSha256() })
  return {
    add(table: string, rows: readonly Row[]) {
      const sum = sums.get(table)
      if (sum === undefined) return
      sum.rows += rows.length
      sum.digest.update(rows.map(encodeRow).join(''))
    },
    end: (): TableSummaries =>
      new Map([...sums].map(([table, { rows, digest }]) => [table, { rows, sha256: digest.end() }])),
  }
}

/** Begins the epoch of the restored data after the last event that anybody can have seen. */
const beginEpoch = async (loader: RowLoader, highest: Map<string, number>, nonce: string): Promise<void> => {
  const id = (highest.get('epochs') ?? 0) + 1
  await loader.insert('epochs', [{ id, first_cursor: (highest.get('events') ?? 0) + 1, nonce, origin: null }])
  highest.set('epochs', id)
}

/** Throws unless the bytes that are stored are those that were written. */
const requireStored = async (blobs: MovableBlobs, { key, size, sha256 }: StoredBlob, openSha256: OpenSha256) => {
  const bytes = await blobs.read(key, 0, size)
  const digest = openSha256()
  if (bytes !== null) for await (const piece of bytes instanceof Blob ? bytes.stream() : bytes) digest.update(piece)
  if (bytes === null || digest.end() !== sha256) throw new Error(`the target did not store the file ${key} unchanged`)
}

interface Filling {
  readonly transform: typeof restoredRows
  readonly isNewEpoch: boolean
  /** Whether files are read again after they were written, as rows always are. */
  readonly rereadsFiles: boolean
}

/** Fills an empty target from an archive, and throws unless it reads back the same. */
const fill = (deps: RestoreDeps, { transform, isNewEpoch, rereadsFiles }: Filling): Promise<ReadArchive> => {
  const { open, context, target, blobs, newNonce, onProgress } = deps
  const tables = Object.keys(context.columns)
  return target.fill(async (loader) => {
    const written = createSummaries(tables, context.openSha256)
    let lastEvent = 0
    const archive = await readArchive(
      open(),
      {
        async onRows(table, rows) {
          const stored = transform(table, rows)
          if (stored.length > 0) await loader.insert(table, stored)
          written.add(table, stored)
          if (table === 'events') lastEvent = Number(rows.at(-1)?.cursor ?? lastEvent)
        },
        async onFile(key, body) {
          const stored = await blobs.put(key, body)
          if (rereadsFiles) await requireStored(blobs, stored, context.openSha256)
        },
        onFaulty: (key, why) => onProgress(`what was kept under ${key} ${why} when the backup was made`),
      },
      context,
    )
    const different = differingTables(written.end(), await summarizeAll(loader, tables, context.openSha256, () => {}))
    if (different.length > 0) throw new Error(`the target did not store ${different.join(', ')} unchanged`)
    const highest = new Map(highestIdsOf(archive.manifest))
    if (isNewEpoch) await beginEpoch(loader, highest, newNonce())
    highest.set('events', Math.max(highest.get('events') ?? 0, lastEvent))
    await loader.setHighestIds(highest)
    return archive
  })
}

const removeBlobs = async (blobs: MovableBlobs): Promise<void> => {
  for await (const { key } of blobs.list()) await blobs.delete(key)
}

/** Rejects if the store has anything. */
const requireNoBlobs = async (blobs: MovableBlobs): Promise<void> => {
  for await (const _ of blobs.list()) throw new Error('there are files already where FILES_URL says')
}

export const rowsIn = ({ tables }: Manifest): number => Object.values(tables).reduce((sum, { rows }) => sum + rows, 0)

/**
 * Restores an archive into an empty target: checks all of it before the first change, and fills the database in one step at
 * the end. Rejects, with a message for operators, if it cannot.
 */
export const restore = async (deps: RestoreDeps): Promise<Restored> => {
  const { target, blobs, onProgress } = deps
  await target.requireEmpty()
  await requireNoBlobs(blobs)
  onProgress('Checking the archive')
  const checked = await checkArchive(deps)
  onProgress(`Restoring ${rowsIn(checked.manifest)} rows and ${checked.manifest.files.count} files`)
  try {
    const archive = await fill(deps, { transform: restoredRows, isNewEpoch: true, rereadsFiles: false })
    return { ...archive, rows: rowsIn(archive.manifest) }
  } catch (error) {
    await removeBlobs(blobs)
    throw error
  }
}

/** Restores an archive into a scratch target exactly as it is, and throws unless everything reads back the same. */
export const verifyArchive = async (deps: RestoreDeps): Promise<Restored> => {
  const { manifest, ...archive } = await fill(deps, {
    transform: (_, rows) => rows,
    isNewEpoch: false,
    rereadsFiles: true,
  })
  const { count, faulty } = manifest.files
  if (faulty > 0) throw new BadArchive(`${faulty} of ${count} files had no sound bytes when the backup was made`)
  return { ...archive, manifest, rows: rowsIn(manifest) }
}
