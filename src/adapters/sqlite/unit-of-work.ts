import type { ReadTx, Tx, UnitOfWork } from '../../application/ports/persistence.ts'
import { type Connection, openReader, openWriter, toAppError } from './database.ts'
import { createFileLinkReader, createFileLinkRepository } from './file-links.ts'
import { createFileReader, createFileRepository } from './files.ts'
import { createGroupCommit } from './group-commit.ts'
import { createIdempotencyRepository } from './idempotency.ts'
import { createItemReader, createItemRepository } from './items.ts'
import { createJobReader, createJobRepository } from './jobs.ts'
import { createMailTokenReader, createMailTokenRepository } from './mail-tokens.ts'
import { createRefreshTokenRepository, createSessionReader, createSessionRepository } from './sessions.ts'
import { createSnapshots } from './snapshots.ts'
import { createUserReader, createUserRepository } from './users.ts'

export interface SqliteStore extends UnitOfWork {
  /** Rejects with `unavailable` when the database does not answer. */
  ping(): Promise<void>
  /** Finishes queued writes, moves the write-ahead log into the database file and closes it. */
  close(): Promise<void>
}

interface Options {
  /** A migrated database. */
  readonly path: string
  readonly lockTimeout?: number
  /** Called after a commit that put jobs into the queue. */
  readonly onJobs?: () => void
  /** For tests that must make a commit fail. */
  readonly onOpenWriter?: (writer: Connection) => void
}

const writing = (connection: Connection, onEnqueued: () => void): Tx => ({
  users: createUserRepository(connection),
  sessions: createSessionRepository(connection),
  refreshTokens: createRefreshTokenRepository(connection),
  mailTokens: createMailTokenRepository(connection),
  jobs: createJobRepository(connection, onEnqueued),
  items: createItemRepository(connection),
  files: createFileRepository(connection),
  fileLinks: createFileLinkRepository(connection),
  idempotency: createIdempotencyRepository(connection),
})

const reading = (connection: Connection): ReadTx => ({
  users: createUserReader(connection),
  sessions: createSessionReader(connection),
  mailTokens: createMailTokenReader(connection),
  jobs: createJobReader(connection),
  items: createItemReader(connection),
  files: createFileReader(connection),
  fileLinks: createFileLinkReader(connection),
})

export const openSqliteStore = ({ path, onOpenWriter, onJobs, ...options }: Options): SqliteStore => {
  const open = () => {
    const writer = openWriter(path)
    onOpenWriter?.(writer)
    return writer
  }
  let enqueued = false
  const commits = createGroupCommit<Tx>({
    open,
    repositories: (connection) =>
      writing(connection, () => {
        enqueued = true
      }),
    afterCommit() {
      // Whoever hears of a commit must find it.
      snapshots.release()
      if (enqueued) onJobs?.()
      enqueued = false
    },
    ...options,
  })
  const reader = openReader(path)
  const snapshots = createSnapshots(reader)
  const tx = reading(reader)
  const alive = reader.prepare('SELECT 1 FROM users LIMIT 1')

  const read = async <T>(work: (tx: ReadTx) => Promise<T>): Promise<T> => {
    try {
      snapshots.hold()
      return await work(tx)
    } catch (error) {
      throw toAppError(error)
    }
  }

  let closing: Promise<void> | null = null
  const shut = async () => {
    await commits.close()
    snapshots.release()
    reader.run('PRAGMA query_only = OFF')
    reader.run('PRAGMA wal_checkpoint(TRUNCATE)')
    reader.close()
  }

  return {
    write: commits.write,
    read,
    ping: () => read(async () => void alive.get()),
    close() {
      closing ??= shut()
      return closing
    },
  }
}
