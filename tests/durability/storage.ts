import { Database } from 'bun:sqlite'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What only a look at the disk can tell, beside what a client sees. */
export interface Storage {
  /** What the database says of its own integrity: `ok`, or what is broken. To be asked while no server runs. */
  integrity(): string
  /** Everything in the blob folder; what is still being written ends in `.part`. */
  blobs(): readonly string[]
  /** Makes every blob so old that the sweep may judge it. */
  ageBlobs(): void
  /** Every mail that was sent, newest last. */
  mails(): readonly SentMail[]
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

/** The data folder of a server whose database is SQLite and whose files and mails are folders in it. */
export const localStorage = (dataDir: string): Storage => {
  const mails = new Map<string, SentMail>()
  return {
    integrity() {
      // Of a copy: whoever opens the database after a crash recovers it, and that is for the server to do.
      const folder = mkdtempSync(join(tmpdir(), 'skep-copy-'))
      for (const name of ['skep.db', 'skep.db-wal']) {
        if (existsSync(join(dataDir, name))) copyFileSync(join(dataDir, name), join(folder, name))
      }
      const database = new Database(join(folder, 'skep.db'), { readwrite: true })
      try {
        const rows = database.query<{ integrity_check: string }, []>('PRAGMA integrity_check').all()
        const strays = database.query('PRAGMA foreign_key_check').all()
        const found = rows.map(({ integrity_check }) => integrity_check).join('; ')
        return strays.length === 0 ? found : `${found}; ${strays.length} rows refer to none`
      } finally {
        database.close()
        rmSync(folder, { recursive: true, force: true })
      }
    },
    blobs: () => filesBelow(join(dataDir, 'files')),
    ageBlobs() {
      const old = Date.now() / 1_000 - OLD_SECONDS
      for (const path of filesBelow(join(dataDir, 'files'))) utimesSync(path, old, old)
    },
    mails() {
      const folder = join(dataDir, 'mail')
      for (const name of readdirSync(folder)) {
        if (name.endsWith('.eml') && !mails.has(name)) mails.set(name, readMail(join(folder, name)))
      }
      return [...mails.values()].toSorted((a, b) => a.at - b.at)
    },
  }
}
