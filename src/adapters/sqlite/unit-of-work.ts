import { access, constants, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { StoreHooks } from '../../application/ports/engine.ts'
import type { ReadTx, Store, Tx } from '../../application/ports/persistence.ts'
import { AppError } from '../../domain/errors.ts'
import { type Connection, fileOf, openReader, openWriter, toAppError } from './database.ts'
import { createDurability } from './durability.ts'
import { createEventReader, createEventRepository } from './events.ts'
import { createFileLinkReader, createFileLinkRepository } from './file-links.ts'
import { createFileReader, createFileRepository } from './files.ts'
import { createGroupCommit } from './group-commit.ts'
import { createIdempotencyRepository } from './idempotency.ts'
import { createItemReader, createItemRepository } from './items.ts'
import { createItemText, type ItemText } from './items-text.ts'
import { createJobReader, createJobRepository, type SqliteJobRepository } from './jobs.ts'
import { createMailTokenReader, createMailTokenRepository } from './mail-tokens.ts'
import { createRefreshTokenRepository, createSessionReader, createSessionRepository } from './sessions.ts'
import { createSignInSourceReader, createSignInSourceRepository } from './sign-in-sources.ts'
import { createSnapshots, type Snapshots } from './snapshots.ts'
import { createTransactionMemory, type TransactionMemory } from './transaction-memory.ts'
import { createUserReader, createUserRepository } from './users.ts'
import { openWal, type Wal } from './wal.ts'

interface SqliteTx extends Tx {
  readonly jobs: SqliteJobRepository
}

interface Options extends StoreHooks {
  /** A migrated database. */
  readonly path: string
  readonly lockTimeout?: number
  /** For tests of what goes wrong: hears of each writing connection, and answers the one to use. */
  readonly onOpenWriter?: (writer: Connection) => Connection
  /** For tests of what goes wrong. */
  readonly wal?: Wal
  /** Called when what was committed may not be on the disk. By default that is an uncaught exception. */
  readonly onLost?: (error: Error) => void
}

/** With less, a commit is about to fail. A file system that tells no size has room. */
const LEAST_ROOM = 1_048_576

const checkRoom = async (folder: string): Promise<void> => {
  const { blocks, bavail, bsize } = await statfs(folder)
  if (blocks > 0 && bavail * bsize < LEAST_ROOM) throw new AppError('storage_full', 'The storage is full')
}

/** The next start finds what the disk has. */
const crash = (error: Error): void => {
  setImmediate(() => {
    throw error
  })
}

/** What a commit may call for. */
interface Marks {
  jobs: boolean
  events: boolean
}

const writing = (connection: Connection, texts: ItemText, memory: TransactionMemory, marks: Marks): SqliteTx => ({
  users: createUserRepository(connection, memory.forget),
  sessions: createSessionRepository(connection, memory),
  refreshTokens: createRefreshTokenRepository(connection),
  signInSources: createSignInSourceRepository(connection),
  mailTokens: createMailTokenRepository(connection),
  jobs: createJobRepository(connection, () => {
    marks.jobs = true
  }),
  items: createItemRepository(connection, texts),
  files: createFileRepository(connection),
  fileLinks: createFileLinkRepository(connection),
  events: createEventRepository(connection, () => {
    marks.events = true
  }),
  idempotency: createIdempotencyRepository(connection),
})

const reading = (connection: Connection, { remember }: Snapshots): ReadTx => ({
  users: createUserReader(connection, remember),
  sessions: createSessionReader(connection),
  signInSources: createSignInSourceReader(connection),
  mailTokens: createMailTokenReader(connection),
  jobs: createJobReader(connection),
  items: createItemReader(connection, remember),
  files: createFileReader(connection),
  fileLinks: createFileLinkReader(connection),
  events: createEventReader(connection),
})

/**
 * Closing moves the write-ahead log into the database file; writes that a lock keeps from beginning are rejected then.
 * `takeBackJobs` trusts that no other process serves this file.
 */
export const openSqliteStore = ({ path, onOpenWriter, onJobs, onEvents, ...options }: Options): Store => {
  const open = () => {
    const writer = openWriter(path)
    writer.run('PRAGMA synchronous = NORMAL')
    writer.run('PRAGMA wal_autocheckpoint = 0')
    return onOpenWriter?.(writer) ?? writer
  }
  const reader = openReader(path)
  const { wal = openWal(fileOf(reader)), onLost = crash } = options
  const snapshots = createSnapshots(reader)
  const marks: Marks = { jobs: false, events: false }
  const commits = createGroupCommit<SqliteTx>({
    open,
    durability: createDurability({ reader, snapshots, wal, onLost }),
    repositories(connection) {
      const texts = createItemText(connection)
      const memory = createTransactionMemory(connection)
      return { tx: writing(connection, texts, memory, marks), deferred: memory.endingWith(texts) }
    },
    afterCommit() {
      const { jobs, events } = marks
      marks.jobs = false
      marks.events = false
      if (jobs) onJobs?.()
      if (events) onEvents?.()
    },
    ...options,
  })
  const tx = reading(reader, snapshots)
  const alive = reader.prepare('SELECT 1 FROM users LIMIT 1')

  const failed = (error: unknown): never => {
    throw toAppError(error)
  }
  const read = <T>(work: (tx: ReadTx) => Promise<T>): Promise<T> => {
    try {
      snapshots.hold()
      return work(tx).catch(failed)
    } catch (error) {
      return Promise.reject(toAppError(error))
    }
  }

  wal.begin()

  let closing: Promise<void> | null = null
  const shut = async (timeout: number) => {
    await commits.close(timeout)
    await wal.close()
    snapshots.release()
    reader.run('PRAGMA query_only = OFF')
    reader.run('PRAGMA wal_checkpoint(TRUNCATE)')
    reader.close()
  }

  return {
    write: commits.write,
    read,
    takeBackJobs: (now) => commits.write((writing) => writing.jobs.releaseAll(now)),
    async ping() {
      await read(async () => void alive.get())
      await access(path, constants.W_OK)
      await checkRoom(dirname(path))
    },
    close(timeout = Number.POSITIVE_INFINITY) {
      closing ??= shut(timeout)
      return closing
    },
  }
}
