import type { Instant } from '../domain/user.ts'
import {
  ARCHIVE_VERSION,
  type ArchivedFile,
  type ArchiveFacts,
  archivedFileOf,
  ENTRY,
  encodeRow,
  lineOf,
  type Manifest,
} from './archive.ts'
import type { ArchiveEntry } from './ports/backups.ts'
import type { MovableBlobs, OpenSha256, Snapshot, Spool } from './ports/transfer.ts'

export interface ArchiveSource {
  readonly snapshot: Snapshot
  readonly blobs: Pick<MovableBlobs, 'size' | 'read'>
  /** Keeps what is known of the files until the snapshot is closed. */
  readonly spool: Spool
  readonly openSha256: OpenSha256
  /** The version of the program. */
  readonly program: string
  readonly now: Instant
  /** The signing secret; null if it must not be in the archive. */
  readonly secret: string | null
  /** Called for each file that has no sound bytes. */
  onFaulty(line: string): void
}

const once = async function* (bytes: Uint8Array) {
  yield bytes
}

const entryOf = (name: string, text: string): ArchiveEntry => {
  const bytes = new TextEncoder().encode(text)
  return { name, size: bytes.byteLength, body: once(bytes) }
}

const tableEntries = async function* (source: ArchiveSource, table: string, sums: Record<string, TableSum>) {
  const { snapshot, spool, openSha256 } = source
  const digest = openSha256()
  let rows = 0
  let piece = 0
  for await (const found of snapshot.rows(table)) {
    const text = found.map(encodeRow).join('')
    digest.update(text)
    rows += found.length
    piece++
    if (table === 'files') await spool.add(found.map((row) => JSON.stringify(archivedFileOf(row))))
    yield entryOf(`${ENTRY.tables}${table}/${String(piece).padStart(6, '0')}.ndjson`, text)
  }
  sums[table] = { rows, sha256: digest.end() }
}

type TableSum = Manifest['tables'][string]

/** Files up to this size are read ahead, and so are in memory as a whole. */
const MAX_AHEAD_BYTES = 1_048_576
const MAX_AHEAD_COUNT = 4

interface OpenedFile {
  /** In bytes; null if nothing is kept under its key. */
  readonly found: number | null
  /** Null unless there are as many as there should be. */
  readonly bytes: AsyncIterable<Uint8Array> | readonly Uint8Array[] | null
}

const openFile = async ({ blobs }: ArchiveSource, { key, size }: ArchivedFile): Promise<OpenedFile> => {
  const found = await blobs.size(key)
  const bytes = found === size ? await blobs.read(key, 0, size) : null
  return { found, bytes: bytes instanceof Blob ? bytes.stream() : bytes }
}

const readWhole = async (source: ArchiveSource, file: ArchivedFile): Promise<OpenedFile> => {
  const { found, bytes } = await openFile(source, file)
  return { found, bytes: bytes && (await Array.fromAsync(bytes)) }
}

interface AheadFile {
  readonly file: ArchivedFile
  open(): Promise<OpenedFile>
}

/** Begins to read a file if it is small. */
const readAhead = (source: ArchiveSource, file: ArchivedFile): AheadFile => {
  if (file.size > MAX_AHEAD_BYTES) return { file, open: () => openFile(source, file) }
  const reading = readWhole(source, file)
  // Whoever opens it gets the error; nobody does if an earlier file fails.
  reading.catch(() => {})
  return { file, open: () => reading }
}

/** The files in their order, of which the next {@link MAX_AHEAD_COUNT} are being read if they are small. */
const filesAhead = async function* (source: ArchiveSource): AsyncGenerator<AheadFile> {
  const queue: AheadFile[] = []
  for await (const line of source.spool.lines()) {
    queue.push(readAhead(source, spooledFile(line)))
    if (queue.length > MAX_AHEAD_COUNT) yield* queue.splice(0, 1)
  }
  yield* queue
}

/** The bytes of a file, and an entry that says why they are not those of its row, if so. */
const fileEntries = async function* (
  { openSha256, onFaulty }: ArchiveSource,
  { file, open }: AheadFile,
): AsyncGenerator<ArchiveEntry, boolean> {
  const { key, size, sha256 } = file
  const faulty = (why: string) => {
    onFaulty(`what is kept under ${key} ${why}`)
    return entryOf(ENTRY.faulty + key, JSON.stringify({ size, sha256, why }))
  }
  const { found, bytes } = await open()
  if (bytes === null) {
    yield faulty(found === null || found === size ? 'is missing' : `has ${found} bytes, not ${size}`)
    return false
  }
  const digest = openSha256()
  const body = async function* () {
    for await (const piece of bytes) {
      digest.update(piece)
      yield piece
    }
  }
  yield { name: ENTRY.files + key, size, body: body() }
  if (digest.end() === sha256) return true
  yield faulty('has another SHA-256')
  return false
}

const spooledFile = (line: string): ArchivedFile => {
  const { key, size, sha256 }: Record<string, unknown> = JSON.parse(line)
  return { key: String(key), size: Number(size), sha256: String(sha256) }
}

/**
 * The entries of an archive: first the rows, all of one point in time, after which the snapshot is closed, and then the
 * bytes of every file that they name, which must not be removed meanwhile.
 */
export const archiveEntries = async function* (source: ArchiveSource): AsyncGenerator<ArchiveEntry> {
  const { snapshot, openSha256, program, now, secret } = source
  const facts: ArchiveFacts = {
    format: 'skep-backup',
    version: ARCHIVE_VERSION,
    program,
    created_at: new Date(now).toISOString(),
    schema: snapshot.schema,
  }
  yield entryOf(ENTRY.format, JSON.stringify(facts))
  if (secret !== null) yield entryOf(ENTRY.secret, JSON.stringify({ jwt_secret: secret }))
  const tables: Record<string, TableSum> = {}
  for (const table of snapshot.tables) yield* tableEntries(source, table, tables)
  const highest = await snapshot.highestIds()
  await snapshot.close()

  const files = { count: 0, bytes: 0, faulty: 0 }
  const digest = openSha256()
  for await (const ahead of filesAhead(source)) {
    const { file } = ahead
    digest.update(lineOf(file))
    if (!(yield* fileEntries(source, ahead))) files.faulty++
    files.count++
    files.bytes += file.size
  }
  const manifest: Manifest = {
    tables,
    files: { ...files, sha256: digest.end() },
    highest_ids: Object.fromEntries(highest),
  }
  yield entryOf(ENTRY.manifest, JSON.stringify(manifest))
}
