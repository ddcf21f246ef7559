import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import pkg from '../../package.json' with { type: 'json' }
import { createArchiveFormat } from '../adapters/archive/format.ts'
import { openSha256 } from '../adapters/bun/sha256.ts'
import { createConsoleLog } from '../adapters/console/log.ts'
import { writeError } from '../adapters/console/streams.ts'
import { isEmbedded } from '../adapters/env/settings.ts'
import { createFsBlobStore } from '../adapters/fs/blob-store.ts'
import { openSpool } from '../adapters/fs/spool.ts'
import { openPostgresSnapshot } from '../adapters/postgres/snapshot.ts'
import { newNonce } from '../adapters/sql/nonce.ts'
import { TABLES } from '../adapters/sql/tables.ts'
import { createSqliteTarget } from '../adapters/sqlite/filling.ts'
import { MIGRATIONS } from '../adapters/sqlite/migrate.ts'
import { openSqliteSnapshot } from '../adapters/sqlite/snapshot.ts'
import type { ArchiveContext } from '../application/backup-reading.ts'
import { archiveEntries } from '../application/backup-writing.ts'
import type { ArchiveEntry, Archives } from '../application/ports/backups.ts'
import type { RestoreDeps } from '../application/restoring.ts'
import { verifyArchive } from '../application/restoring.ts'
import type { BackupSettings, WriteResult } from './backup-runner.ts'
import { archivesAt, blobsAt } from './choices.ts'

/** Only warnings, which are rare. */
export const warnings = () => createConsoleLog({ level: 'warn', format: 'pretty', write: writeError })

const abortable = async function* (bytes: AsyncIterable<Uint8Array>, signal: AbortSignal) {
  for await (const piece of bytes) {
    signal.throwIfAborted()
    yield piece
  }
}

/** Bytes that pass between two collections of garbage. The collector underestimates what buffers and streams retain. */
const MAX_GARBAGE_BYTES = 8 * 1_048_576

/** Passes on the entries, and collects garbage on the way, which blocks only the thread of the backup. */
const collectingGarbage = async function* (entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<ArchiveEntry> {
  let garbageBytes = 0
  const passing = async function* (body: AsyncIterable<Uint8Array>) {
    for await (const bytes of body) {
      yield bytes
      garbageBytes += bytes.byteLength
      if (garbageBytes < MAX_GARBAGE_BYTES) continue
      Bun.gc(true)
      garbageBytes = 0
    }
  }
  for await (const entry of entries) yield { ...entry, body: passing(entry.body) }
}

/** How many faults of files `detail` names. */
const MAX_NAMED_COUNT = 5

/** Writes an archive of the installation. Blocks the thread while it reads an embedded database. */
export const writeBackup = async (
  settings: BackupSettings,
  name: string,
  secret: string,
  signal: AbortSignal,
): Promise<WriteResult> => {
  const { DATABASE_URL, DATA_DIR, BACKUP_KEY } = settings
  const log = warnings()
  const snapshot = isEmbedded(DATABASE_URL)
    ? openSqliteSnapshot(DATABASE_URL)
    : await openPostgresSnapshot(DATABASE_URL)
  const spool = openSpool(DATA_DIR)
  const faults: string[] = []
  try {
    const entries = archiveEntries({
      snapshot,
      blobs: blobsAt(settings, log),
      spool,
      openSha256,
      program: pkg.version,
      now: Date.now(),
      secret: BACKUP_KEY === undefined ? null : secret,
      onFaulty: (line) => void faults.push(line),
    })
    const bytes = createArchiveFormat(BACKUP_KEY).pack(collectingGarbage(entries))
    const { size, sha256 } = await archivesAt(settings, log).write(name, abortable(bytes, signal))
    const named = faults.slice(0, MAX_NAMED_COUNT).join('; ')
    return { size, sha256, detail: faults.length === 0 ? null : `${faults.length} files are not sound: ${named}` }
  } finally {
    await snapshot.close()
    await spool.close()
    log.flush()
  }
}

const columns = Object.fromEntries(Object.entries(TABLES).map(([name, table]) => [name, Object.keys(table.columns)]))

/** What reading an archive needs. */
export const archiveContext = (signal: AbortSignal): ArchiveContext => ({
  openSha256,
  columns,
  schema: MIGRATIONS.map(({ name }) => name),
  signal,
})

/** The entries of an archive, which is read from its beginning at each call. */
export const entriesOf = (
  archives: Archives,
  { name, size, key }: { readonly name: string; readonly size: number; readonly key: string | undefined },
): RestoreDeps['open'] => {
  const bytes = async function* () {
    const found = await archives.read(name, 0, size)
    if (found === null) throw new Error(`there is no archive ${name}`)
    yield* found instanceof Blob ? found.stream() : found
  }
  return () => createArchiveFormat(key).unpack(bytes())
}

/** Restores an archive into a scratch folder below `parent` and compares; returns what it found. */
export const verifyBackup = async (
  archives: Archives,
  { name, key, parent }: { readonly name: string; readonly key: string | undefined; readonly parent: string },
  signal: AbortSignal,
): Promise<string> => {
  const size = await archives.size(name)
  if (size === null) throw new Error('is missing')
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  const folder = mkdtempSync(join(parent, '.verify-'))
  try {
    const { rows, manifest } = await verifyArchive({
      open: entriesOf(archives, { name, size, key }),
      context: archiveContext(signal),
      target: createSqliteTarget(join(folder, 'skep.db')),
      blobs: createFsBlobStore(join(folder, 'files')),
      newNonce,
      onProgress() {},
    })
    return `Verified: ${rows} rows, ${manifest.files.count} files`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
