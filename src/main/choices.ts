import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isEmbedded, type S3KeySettings, type Settings, s3KeysOf } from '../adapters/env/settings.ts'
import { createFsArchives } from '../adapters/fs/archives.ts'
import { createFsBlobStore } from '../adapters/fs/blob-store.ts'
import { makeDataDir } from '../adapters/fs/data-dir.ts'
import { type DiskReserve, watchReserve } from '../adapters/fs/reserve.ts'
import { createMemoryBus } from '../adapters/memory/bus.ts'
import { createFileMailer } from '../adapters/nodemailer/file-mailer.ts'
import { createSmtpMailer } from '../adapters/nodemailer/smtp-mailer.ts'
import { createPostgresEngine } from '../adapters/postgres/engine.ts'
import { openRedisBus } from '../adapters/redis/bus.ts'
import { createS3Archives } from '../adapters/s3/archives.ts'
import { createS3BlobStore } from '../adapters/s3/blob-store.ts'
import { createSqliteEngine } from '../adapters/sqlite/engine.ts'
import type { WritersLock } from '../adapters/sqlite/writers-lock.ts'
import type { Archives } from '../application/ports/backups.ts'
import type { Engine } from '../application/ports/engine.ts'
import type { Bus, Mailer } from '../application/ports/messaging.ts'
import type { Clock, Log } from '../application/ports/system.ts'

/** The database of `DATABASE_URL`. `lock` is that of the threads that have an embedded one open. */
export const engineOf = ({ DATABASE_URL, DATABASE_POOL_SIZE, DATA_DIR }: Settings, lock?: WritersLock): Engine =>
  isEmbedded(DATABASE_URL)
    ? createSqliteEngine({ path: DATABASE_URL, makeFolder: () => makeDataDir(DATA_DIR), ...(lock && { lock }) })
    : createPostgresEngine({ url: DATABASE_URL, size: DATABASE_POOL_SIZE })

/** Throws if an embedded database does not exist: a command that only reads must not create it where a path is mistyped. */
export const requireDatabase = ({ DATABASE_URL }: Pick<Settings, 'DATABASE_URL'>): void => {
  if (isEmbedded(DATABASE_URL) && !existsSync(DATABASE_URL)) throw new Error(`there is no database at ${DATABASE_URL}`)
}

/** Bytes that one user may store. */
export const quotaOf = ({ QUOTA }: Settings) => (QUOTA === 'off' ? {} : { quotaBytes: QUOTA })

/** The free space on the disks of this process: those of an embedded database and of a folder of files. */
export const openReserve = ({ DATABASE_URL, FILES_URL }: Settings, log: Log): Promise<DiskReserve> =>
  watchReserve(
    [
      ...(isEmbedded(DATABASE_URL) ? [dirname(DATABASE_URL)] : []),
      ...(typeof FILES_URL === 'string' ? [FILES_URL] : []),
    ],
    log,
  )

/** The bus of the processes that share `REDIS_URL`, or of a single process. */
export const openBus = async (settings: Settings, secret: string, clock: Clock, log: Log): Promise<Bus> => {
  const { DATABASE_URL, REDIS_URL } = settings
  const own = createMemoryBus(clock, isEmbedded(DATABASE_URL))
  if (REDIS_URL !== undefined) {
    return openRedisBus({ url: REDIS_URL, secret, fallback: own.limiter, socketSlots: own.socketSlots, log })
  }
  if (!isEmbedded(DATABASE_URL)) log.warn('without REDIS_URL only one process may serve this database')
  return own
}

/** A mailer that may keep connections open. */
export type OpenMailer = Mailer & { readonly close?: () => void }

/** The mailer for `SMTP_URL`, or for a folder. */
export const openMailer = (settings: Settings, log: Log): OpenMailer => {
  const { SMTP_URL, MAIL_FROM, DATA_DIR } = settings
  if (SMTP_URL === undefined) return createFileMailer({ folder: join(DATA_DIR, 'mail'), from: MAIL_FROM, log })
  return createSmtpMailer({ url: SMTP_URL, from: MAIL_FROM })
}

/** Where archives are kept. */
export const archivesAt = (settings: S3KeySettings & Pick<Settings, 'BACKUP_URL'>, log: Log): Archives =>
  typeof settings.BACKUP_URL === 'string'
    ? createFsArchives(settings.BACKUP_URL)
    : createS3Archives({ place: settings.BACKUP_URL, keys: s3KeysOf(settings), log })

/** The blob store of `FILES_URL`, not opened yet. */
export const blobsAt = (settings: S3KeySettings & Pick<Settings, 'FILES_URL'>, log: Log) =>
  typeof settings.FILES_URL === 'string'
    ? createFsBlobStore(settings.FILES_URL)
    : createS3BlobStore({ place: settings.FILES_URL, keys: s3KeysOf(settings), log })

/** The same, opened. Rejects if it cannot be used. */
export const openBlobs = async (settings: S3KeySettings & Pick<Settings, 'FILES_URL'>, log: Log) => {
  const blobs = blobsAt(settings, log)
  await blobs.prepare()
  return blobs
}
