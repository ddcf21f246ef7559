import {
  ARCHIVE_VERSION,
  type ArchivedFile,
  type ArchiveFacts,
  archivedFileOf,
  decodeRow,
  ENTRY,
  lineOf,
  type Manifest,
} from './archive.ts'
import { type ArchiveEntry, BadArchive } from './ports/backups.ts'
import type { Digest, OpenSha256, Row } from './ports/transfer.ts'

/** Gets what an archive contains, in its order. */
export interface ArchiveSink {
  onRows(table: string, rows: readonly Row[]): Promise<void>
  /** Has to read all of `body`. */
  onFile(key: string, body: AsyncIterable<Uint8Array>): Promise<void>
  /** The file before it, or one that is not there, is not what its row describes. */
  onFaulty(key: string, why: string): void
}

export interface ReadArchive {
  readonly facts: ArchiveFacts
  readonly manifest: Manifest
  /** The signing secret; null if the archive has none. */
  readonly secret: string | null
}

export interface ArchiveContext {
  readonly openSha256: OpenSha256
  /** The columns of each table of this program. */
  readonly columns: Readonly<Record<string, readonly string[]>>
  /** The migrations of this program. */
  readonly schema: readonly string[]
  readonly signal: AbortSignal
}

/** Of a piece of a table, or another entry that is read as a whole: several times the size of any. */
const MAX_ENTRY_BYTES = 64 * 1_048_576

const damaged = (cause?: unknown) => new BadArchive('is damaged or was altered', { cause })

const textOf = async ({ size, body }: ArchiveEntry): Promise<string> => {
  if (size > MAX_ENTRY_BYTES) throw damaged()
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let text = ''
  for await (const bytes of body) text += decoder.decode(bytes, { stream: true })
  return text + decoder.decode()
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const jsonOf = async (entry: ArchiveEntry): Promise<Readonly<Record<string, unknown>>> => {
  const value: unknown = JSON.parse(await textOf(entry))
  if (!isObject(value)) throw damaged()
  return value
}

const readFacts = async (entry: ArchiveEntry, schema: readonly string[]): Promise<ArchiveFacts> => {
  if (entry.name !== ENTRY.format) throw new BadArchive('is not a backup of Skep')
  const { format, version, program, created_at, schema: given } = await jsonOf(entry)
  if (format !== 'skep-backup') throw new BadArchive('is not a backup of Skep')
  const names = Array.isArray(given) ? given.map(String) : []
  const by = `Skep ${program}`
  if (typeof version !== 'number' || version > ARCHIVE_VERSION || names.some((name) => !schema.includes(name))) {
    throw new BadArchive(`was made by a newer release, ${by}: restore it with that`)
  }
  if (names.length < schema.length) {
    throw new BadArchive(`was made by an older release, ${by}: restore it with that, then start this one`)
  }
  return { format, version, program: String(program), created_at: String(created_at), schema: names }
}

/** What was read so far, to be compared with the manifest. */
interface Found {
  readonly tables: Map<string, { rows: number; readonly digest: Digest }>
  /** Of the files that the rows name, and of those that followed. */
  readonly expected: Digest
  readonly present: Digest
  /** The last file, because the next entry may say that it is faulty. */
  last: ArchivedFile | null
  secret: string | null
}

const readRows = async (entry: ArchiveEntry, found: Found, sink: ArchiveSink, context: ArchiveContext) => {
  const [table = ''] = entry.name.slice(ENTRY.tables.length).split('/')
  const columns = context.columns[table]
  if (columns === undefined) throw damaged()
  const sum = found.tables.get(table) ?? { rows: 0, digest: context.openSha256() }
  found.tables.set(table, sum)
  const text = await textOf(entry)
  sum.digest.update(text)
  const rows = text
    .split('\n')
    .slice(0, -1)
    .map((line) => decodeRow(line, columns))
  sum.rows += rows.length
  if (table === 'files') for (const row of rows) found.expected.update(lineOf(archivedFileOf(row)))
  await sink.onRows(table, rows)
}

const endFile = (found: Found): void => {
  if (found.last !== null) found.present.update(lineOf(found.last))
  found.last = null
}

const readFile = async ({ name, size, body }: ArchiveEntry, found: Found, sink: ArchiveSink, open: OpenSha256) => {
  endFile(found)
  const digest = open()
  const bytes = async function* () {
    for await (const piece of body) {
      digest.update(piece)
      yield piece
    }
  }
  const key = name.slice(ENTRY.files.length)
  await sink.onFile(key, bytes())
  found.last = { key, size, sha256: digest.end() }
}

const readFaulty = async (entry: ArchiveEntry, found: Found, sink: ArchiveSink) => {
  const key = entry.name.slice(ENTRY.faulty.length)
  const { size, sha256, why } = await jsonOf(entry)
  if (found.last?.key !== key) endFile(found)
  found.last = { key, size: Number(size), sha256: String(sha256) }
  endFile(found)
  sink.onFaulty(key, String(why))
}

const readEntry = async (entry: ArchiveEntry, found: Found, sink: ArchiveSink, context: ArchiveContext) => {
  const { name } = entry
  if (name.startsWith(ENTRY.tables)) await readRows(entry, found, sink, context)
  else if (name.startsWith(ENTRY.files)) await readFile(entry, found, sink, context.openSha256)
  else if (name.startsWith(ENTRY.faulty)) await readFaulty(entry, found, sink)
  else if (name === ENTRY.secret) found.secret = String((await jsonOf(entry)).jwt_secret)
  else throw damaged()
}

const readManifest = async (entry: ArchiveEntry, found: Found, { columns, openSha256 }: ArchiveContext) => {
  const { tables, files, highest_ids } = await jsonOf(entry)
  endFile(found)
  if (!isObject(tables) || !isObject(files) || !isObject(highest_ids)) throw damaged()
  const sums: Record<string, { rows: number; sha256: string }> = {}
  for (const table of Object.keys(columns)) {
    const sum = found.tables.get(table) ?? { rows: 0, digest: openSha256() }
    const sha256 = sum.digest.end()
    const given = tables[table]
    if (!isObject(given) || given.rows !== sum.rows || given.sha256 !== sha256) throw damaged()
    sums[table] = { rows: sum.rows, sha256 }
  }
  const sha256 = found.present.end()
  if (files.sha256 !== sha256 || found.expected.end() !== sha256) throw damaged()
  const highest: Record<string, number> = {}
  for (const [table, id] of Object.entries(highest_ids)) highest[table] = Number(id)
  return {
    tables: sums,
    files: { count: Number(files.count), bytes: Number(files.bytes), faulty: Number(files.faulty), sha256 },
    highest_ids: highest,
  }
}

/**
 * Reads an archive to its end, and passes its content to `sink` as it comes. Throws a {@link BadArchive} if anything in it
 * is not as its manifest and rows say: then what was passed on is not to be used.
 */
export const readArchive = async (
  entries: AsyncIterable<ArchiveEntry>,
  sink: ArchiveSink,
  context: ArchiveContext,
): Promise<ReadArchive> => {
  const { openSha256, schema, signal } = context
  const found: Found = {
    tables: new Map(),
    expected: openSha256(),
    present: openSha256(),
    last: null,
    secret: null,
  }
  let facts: ArchiveFacts | null = null
  let manifest: Manifest | null = null
  for await (const entry of entries) {
    signal.throwIfAborted()
    if (manifest !== null) throw damaged()
    if (facts === null) facts = await readFacts(entry, schema)
    else if (entry.name === ENTRY.manifest) manifest = await readManifest(entry, found, context)
    else await readEntry(entry, found, sink, context)
  }
  if (facts === null || manifest === null) throw new BadArchive('is damaged or ends early')
  return { facts, manifest, secret: found.secret }
}
