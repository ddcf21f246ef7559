import { Database } from 'bun:sqlite'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What only a look behind the server can tell, beside what a client sees. */
export interface Storage {
  /**
   * What the database says of its own integrity: `ok`, or what is broken. To be asked while no server runs. Null for a
   * database that is not a file in the data folder.
   */
  readonly integrity: (() => string) | null
  /** Null when blobs are elsewhere. */
  readonly blobs: BlobFolder | null
  /** Every mail that was sent, newest last. */
  mails(): readonly SentMail[]
}

export interface BlobFolder {
  /** Everything in it; what is still being written ends in `.part`. */
  list(): readonly string[]
  /** Makes all of it so old that the sweep may remove it. */
  age(): void
}

export interface SentMail {
  readonly to: string
  readonly subject: string
  /** Milliseconds of `Date.now()`. */
  readonly at: number
}

const OLD_SECONDS = 25 * 3_600

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  )

const readMail = (path: string): SentMail => {
  const text = readFileSync(path, 'utf8')
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, 'mi').exec(text)?.[1] ?? ''
  return { to: header('To'), subject: header('Subject'), at: statSync(path).mtimeMs }
}

/** Asks a copy: whoever opens the database after a crash recovers it, and that is for the server to do. */
const integrityOf = (dataDir: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-copy-'))
  for (const name of ['skep.db', 'skep.db-wal']) {
    if (existsSync(join(dataDir, name))) copyFileSync(join(dataDir, name), join(folder, name))
  }
  const database = new Database(join(folder, 'skep.db'), { readwrite: true })
  try {
    const rows = database.query<{ integrity_check: string }, []>('PRAGMA integrity_check').all()
    const violations = database.query('PRAGMA foreign_key_check').all()
    const found = rows.map(({ integrity_check }) => integrity_check).join('; ')
    return violations.length === 0 ? found : `${found}; ${violations.length} rows refer to none`
  } finally {
    database.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const blobFolder = (folder: string): BlobFolder => ({
  list: () => filesBelow(folder),
  age() {
    const old = Date.now() / 1_000 - OLD_SECONDS
    for (const path of filesBelow(folder)) utimesSync(path, old, old)
  },
})

/** The data folder of a server, with what its settings leave in it. Mail is always there: no SMTP server is set. */
export const storageOf = (dataDir: string, settings: Readonly<Record<string, string>>): Storage => {
  const mails = new Map<string, SentMail>()
  return {
    integrity: settings.DATABASE_URL === undefined ? () => integrityOf(dataDir) : null,
    blobs: settings.FILES_URL === undefined ? blobFolder(join(dataDir, 'files')) : null,
    mails() {
      const folder = join(dataDir, 'mail')
      for (const name of readdirSync(folder)) {
        if (name.endsWith('.eml') && !mails.has(name)) mails.set(name, readMail(join(folder, name)))
      }
      return [...mails.values()].toSorted((a, b) => a.at - b.at)
    },
  }
}
