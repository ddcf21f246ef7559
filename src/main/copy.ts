import { existsSync } from 'node:fs'
import { systemClock } from '../adapters/bun/clock.ts'
import { openSha256 } from '../adapters/bun/sha256.ts'
import { untilSignal } from '../adapters/cli/lifecycle.ts'
import { createConsoleLog } from '../adapters/console/log.ts'
import { writeError, writeOutput } from '../adapters/console/streams.ts'
import { type DestinationOptions, readDestination } from '../adapters/env/destination.ts'
import type { Settings } from '../adapters/env/settings.ts'
import { secretPath } from '../adapters/fs/data-dir.ts'
import { createPostgresTarget } from '../adapters/postgres/transfer.ts'
import { openSqliteSource } from '../adapters/sqlite/transfer.ts'
import { copyInstallation } from '../application/copy.ts'
import { blobsAt, openBlobs } from './choices.ts'

/** How to pass the old secret to the new processes, without printing it. */
const secretLocation = ({ JWT_SECRET, DATA_DIR }: Settings): string => {
  if (JWT_SECRET !== undefined) return 'JWT_SECRET: as it is set now'
  const path = secretPath(DATA_DIR)
  if (existsSync(path)) return `JWT_SECRET: the content of ${path}`
  return `JWT_SECRET: a new one, since there is no ${path}; everyone has to sign in again`
}

/** Runs the copy of an embedded installation; returns the settings for the new processes, or the problems. */
export const copy = async (settings: Settings, options: DestinationOptions) => {
  const destination = readDestination(settings, options)
  if ('problems' in destination) return destination
  const stopping = new AbortController()
  void untilSignal().then(() => {
    stopping.abort(new Error('interrupted: the database is as it was; run the same command again to go on'))
  })
  const log = createConsoleLog({ level: 'warn', format: settings.LOG_FORMAT, write: writeError })
  const source = openSqliteSource(settings.DATABASE_URL)
  try {
    const from = blobsAt(settings, log)
    // Opening it would create the folder, but the source must not change.
    if (typeof settings.FILES_URL === 'object') await from.prepare()
    const { databaseUrl, files, shown } = destination
    await copyInstallation({
      source,
      target: createPostgresTarget(databaseUrl),
      from,
      to: files === null ? null : await openBlobs({ ...settings, FILES_URL: files }, log),
      openSha256,
      clock: systemClock,
      onProgress: (line) => writeOutput(`${line}\n`),
      complain: (line) => writeError(`${line}\n`),
      signal: stopping.signal,
    })
    const { DATABASE_URL, FILES_URL } = shown
    return { toSet: [`DATABASE_URL=${DATABASE_URL}`, `FILES_URL=${FILES_URL}`, secretLocation(settings)] }
  } finally {
    source.close()
    log.flush()
  }
}
