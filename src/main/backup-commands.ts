import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { generateKey } from '../adapters/archive/encryption.ts'
import { systemClock } from '../adapters/bun/clock.ts'
import { openSha256 } from '../adapters/bun/sha256.ts'
import { untilSignal } from '../adapters/cli/lifecycle.ts'
import { writeOutput } from '../adapters/console/streams.ts'
import { readPlace } from '../adapters/env/destination.ts'
import { isEmbedded, placeOf, type Settings } from '../adapters/env/settings.ts'
import { secretPath } from '../adapters/fs/data-dir.ts'
import { createEmptyPostgresTarget } from '../adapters/postgres/snapshot.ts'
import { newNonce } from '../adapters/sql/nonce.ts'
import { createSqliteTarget } from '../adapters/sqlite/filling.ts'
import { backUpNow } from '../application/backup-now.ts'
import type { Store } from '../application/ports/persistence.ts'
import { type Restored, restore as restoreArchive } from '../application/restoring.ts'
import { archiveContext, entriesOf, verifyBackup, warnings } from './archiving.ts'
import { backupSettings, createBackupRunner } from './backup-runner.ts'
import { archivesAt, engineOf, openBlobs, requireDatabase } from './choices.ts'
import { secretOf } from './foundation.ts'

interface Problems {
  readonly problems: readonly string[]
}

/** Where one archive is, or is to be. */
interface ArchivePlace {
  readonly BACKUP_URL: Settings['BACKUP_URL']
  /** Null if only the folder was given. */
  readonly name: string | null
  readonly shown: string
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/** A path, a folder, or an object on S3, whose name ends as that of an archive does. */
const locate = (settings: Settings, option: string, given: string): ArchivePlace | Problems => {
  if (!given.startsWith('s3:')) {
    const path = resolve(given)
    if (given.endsWith('/') || isFolder(path)) return { BACKUP_URL: path, name: null, shown: path }
    return { BACKUP_URL: dirname(path), name: basename(path), shown: path }
  }
  const place = readPlace(settings, option, given)
  if ('problems' in place) return place
  const [, folder = '', name = ''] = /^(.*?)([^/]*)\/$/.exec(place.prefix) ?? []
  if (!/\.(?:zst|age)$/.test(name)) return { BACKUP_URL: place, name: null, shown: placeOf(place) }
  return { BACKUP_URL: { ...place, prefix: folder }, name, shown: `s3://${place.bucket}/${folder}${name}` }
}

const interruption = (): AbortSignal => {
  const stopping = new AbortController()
  void untilSignal().then(() => stopping.abort(new Error('interrupted')))
  return stopping.signal
}

const writeNew = async (store: Store, settings: Settings, place: ArchivePlace | null): Promise<string> => {
  const placed = { ...settings, ...(place && { BACKUP_URL: place.BACKUP_URL }) }
  const deps = {
    unitOfWork: store,
    clock: systemClock,
    runner: createBackupRunner({ settings: backupSettings(placed), secret: secretOf(settings) }),
    archives: archivesAt(placed, warnings()),
    openSha256,
  }
  const made = await backUpNow(deps, place, interruption())
  const where =
    place === null
      ? `${placeOf(settings.BACKUP_URL)}: ${made.name}`
      : place.name === null
        ? `${place.shown}/${made.name}`
        : place.shown
  const size = `${made.size} bytes, SHA-256 ${made.sha256}`
  const note = made.detail === null ? '' : `\n${made.detail}`
  return `Wrote ${where}\n${size}${made.encrypted ? ', encrypted' : ''}${note}\n`
}

/** Backs up the installation, whether a server runs on it or not. */
export const backup = async (settings: Settings, to: string | undefined): Promise<Problems | null> => {
  const place = to === undefined ? null : locate(settings, '--to', to)
  if (place !== null && 'problems' in place) return place
  if (place !== null && place.name !== null) {
    const size = await archivesAt({ ...settings, BACKUP_URL: place.BACKUP_URL }, warnings()).size(place.name)
    if (size !== null) throw new Error(`${place.shown} exists already`)
  }
  requireDatabase(settings)
  const engine = engineOf(settings)
  const [missing] = await engine.pending()
  if (missing !== undefined) throw new Error(`the database lacks ${missing}: run skep migrate first`)
  const store = engine.open()
  try {
    writeOutput(await writeNew(store, settings, place))
    return null
  } finally {
    await store.close()
  }
}

interface FoundArchive {
  readonly archives: ReturnType<typeof archivesAt>
  readonly name: string
  readonly size: number
  readonly shown: string
}

const find = async (settings: Settings, file: string): Promise<FoundArchive | Problems> => {
  const place = locate(settings, 'FILE', file)
  if ('problems' in place) return place
  const { name, shown } = place
  if (name === null) return { problems: ['FILE: expected an archive, not a folder'] }
  const archives = archivesAt({ ...settings, BACKUP_URL: place.BACKUP_URL }, warnings())
  const size = await archives.size(name)
  if (size === null) throw new Error(`there is no archive at ${shown}`)
  return { archives, name, size, shown }
}

/** Names the archive in what is wrong with it. */
const about = (shown: string, error: unknown): Error =>
  new Error(`${shown}: ${error instanceof Error ? error.message : error}`, { cause: error })

/** Restores an archive into a scratch folder and compares. */
export const verify = async (settings: Settings, file: string): Promise<Problems | null> => {
  const found = await find(settings, file)
  if ('problems' in found) return found
  const { archives, name, shown } = found
  try {
    const options = { name, key: settings.BACKUP_KEY, parent: tmpdir() }
    writeOutput(`${await verifyBackup(archives, options, interruption())}\n`)
    return null
  } catch (error) {
    throw about(shown, error)
  }
}

const requireEmptyFolder = ({ DATA_DIR }: Settings): void => {
  if (!existsSync(DATA_DIR)) return
  if (readdirSync(DATA_DIR).length > 0) throw new Error(`${DATA_DIR} is not empty: restore into another folder`)
}

/** Keeps the signing secret of a restored installation; returns what the operator should know of it. */
const keepSecret = ({ DATA_DIR, JWT_SECRET }: Settings, secret: string | null): string => {
  if (secret === null) return 'The archive has no signing secret: everyone has to sign in again'
  if (JWT_SECRET === secret) return 'JWT_SECRET is that of the backup'
  const path = secretPath(DATA_DIR)
  if (existsSync(path)) return `The signing secret was not restored, because there is one: ${path}`
  mkdirSync(DATA_DIR, { recursive: true, mode: 0o700 })
  writeFileSync(path, secret, { mode: 0o600, flag: 'wx', flush: true })
  return JWT_SECRET === undefined
    ? `Restored the signing secret: ${path}`
    : `JWT_SECRET is not that of the backup: unless you set it to the content of ${path}, everyone has to sign in again`
}

const report = (shown: string, { facts, manifest, rows }: Restored): string => {
  const tables = Object.entries(manifest.tables).filter((entry) => entry[1].rows > 0)
  return [
    ...tables.map(([table, sum]) => `  ${table}: ${sum.rows}`),
    `Restored ${rows} rows and ${manifest.files.count} files (${manifest.files.bytes} bytes) from ${shown}`,
    `made at ${facts.created_at} by Skep ${facts.program}`,
  ].join('\n')
}

/** Restores an archive into the empty installation that the settings name. */
export const restore = async (settings: Settings, file: string): Promise<Problems | null> => {
  const found = await find(settings, file)
  if ('problems' in found) return found
  const { archives, name, size, shown } = found
  const { DATABASE_URL, DATA_DIR, BACKUP_KEY } = settings
  const embedded = isEmbedded(DATABASE_URL)
  if (embedded) requireEmptyFolder(settings)
  const existed = existsSync(DATA_DIR)
  try {
    const restored = await restoreArchive({
      open: entriesOf(archives, { name, size, key: BACKUP_KEY }),
      context: archiveContext(interruption()),
      target: embedded ? createSqliteTarget(DATABASE_URL) : createEmptyPostgresTarget(DATABASE_URL),
      blobs: await openBlobs(settings, warnings()),
      newNonce,
      onProgress: (line) => writeOutput(`${line}\n`),
    })
    writeOutput(`${report(shown, restored)}\n${keepSecret(settings, restored.secret)}\n`)
    return null
  } catch (error) {
    // Nothing was in it before.
    if (embedded) {
      for (const entry of existed ? readdirSync(DATA_DIR) : []) rmSync(join(DATA_DIR, entry), { recursive: true })
      if (!existed) rmSync(DATA_DIR, { recursive: true, force: true })
    }
    throw about(shown, error)
  }
}

/** A new key for BACKUP_KEY, as age-keygen prints one. */
export const printKey = async (): Promise<void> => {
  const { identity, recipient } = await generateKey()
  writeOutput(`# public key: ${recipient}\n${identity}\n`)
}
