import { access, constants, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { RecordStorage } from '../../application/ports/collections.ts'
import type { StoreOptions } from '../../application/ports/engine.ts'
import type { ReadTx, Store, Tx } from '../../application/ports/persistence.ts'
import { AppError } from '../../domain/errors.ts'
import { createBackgroundWorker } from '../sql/background-worker.ts'
import { byCollection } from '../sql/record-table.ts'
import { createStepQueue, type RunStep, runAtOnce } from '../sql/step-queue.ts'
import { createAuditReader, createAuditRepository } from './audit.ts'
import { createBackupReader, createBackupRepository } from './backups.ts'
import { createCollectionReader, createCollectionRepository } from './collections.ts'
import { createCommitQueue } from './commit-queue.ts'
import { type Connection, fileOf, openReader, openWriter, toAppError } from './database.ts'
import { createDefinitions } from './definitions.ts'
import { createDeletionReader, createDeletionRepository } from './deletions.ts'
import { createEpochReader, createEpochWriter, type EpochWriter, type PresentEpoch, presentEpoch } from './epochs.ts'
import { createEventReader, createEventRepository } from './events.ts'
import { createFileLinkReader, createFileLinkRepository } from './file-links.ts'
import { createFileReader, createFileRepository } from './files.ts'
import { createIdempotencyRepository } from './idempotency.ts'
import { createJobReader, createJobRepository, type SqliteJobRepository } from './jobs.ts'
import { createMailLimitRepository } from './mail-limits.ts'
import { createMailTokenReader, createMailTokenRepository } from './mail-tokens.ts'
import { createQueryDatabase } from './query-database.ts'
import { createReadSnapshot, type ReadSnapshot } from './read-snapshot.ts'
import { createCountReader, createRecordCounts, type RecordCounts } from './record-counts.ts'
import { createRecordKeys, type RecordKeys } from './record-keys.ts'
import {
  createRecordText,
  createUnindexedRecords,
  hasUnindexedRecords,
  type RecordText,
  TEXT_TABLES,
  type UnindexedRecords,
} from './record-text.ts'
import { createRecordReader, createRecordRepository } from './records.ts'
import type { RowCache } from './row-cache.ts'
import { createRefreshTokenRepository, createSessionReader, createSessionRepository } from './sessions.ts'
import { createSignInSourceReader, createSignInSourceRepository } from './sign-in-sources.ts'
import { createStoredRecordReaders } from './stored-record-readers.ts'
import { createStoredRecordRepositories } from './stored-records.ts'
import { createStoredSize } from './stored-size.ts'
import { createUsage, createUsageReader, type Usage } from './usage.ts'
import { createUserReader, createUserRepository } from './users.ts'
import { createWalSync, openWal, type Wal } from './wal-sync.ts'
import { createWriter } from './writer.ts'

interface SqliteTx extends Tx {
  readonly jobs: SqliteJobRepository
  readonly epochs: EpochWriter
  readonly unindexedRecords: UnindexedRecords
}

interface Options extends StoreOptions {
  /** A migrated database. */
  readonly path: string
  readonly lockTimeoutMs?: number
  /** For failure tests: called with each writer connection; returns the one to use. */
  readonly onOpenWriter?: (writer: Connection) => Connection
  /** For failure tests. */
  readonly wal?: Wal
  /** Called when committed data may not be on the disk. The default throws an uncaught exception. */
  readonly onLost?: (error: Error) => void
}

/** Below this free space, a commit is about to fail. A file system that reports no size is assumed to have space. */
const MIN_FREE_BYTES = 1_048_576

const MAX_IDLE_WAL_BYTES = 16 * 1_048_576

const checkFreeSpace = async (folder: string): Promise<void> => {
  const { blocks, bavail, bsize } = await statfs(folder)
  if (blocks > 0 && bavail * bsize < MIN_FREE_BYTES) throw new AppError('storage_full', 'The storage is full')
}

/** The next start uses what is on the disk. */
const crash = (error: Error): void => {
  setImmediate(() => {
    throw error
  })
}

/** What the transaction changed, and so which listeners to call after its commit. */
interface CommitMarks {
  jobs: boolean
  events: boolean
  unindexed: boolean
}

/** Shared by the repositories of one writer connection. */
interface WriterContext {
  readonly texts: ReadonlyMap<string, RecordText>
  readonly rowCache: RowCache
  readonly usage: Usage
  readonly counts: RecordCounts
  readonly keys: RecordKeys
  readonly marks: CommitMarks
  readonly epoch: PresentEpoch
}

/** The records of the writer connection, and the definitions of their collections. */
const createRecordParts = (connection: Connection, context: WriterContext) => {
  const { texts, rowCache, usage, counts, keys, epoch } = context
  const definitions = createDefinitions(connection, rowCache.cacheLookUp)
  const database = createQueryDatabase(connection, definitions)
  const storedTexts = texts.get('records')
  if (storedTexts === undefined) throw new Error('there is no text index of records')
  const shared = { epoch, usage, counts, database }
  const ofTable = byCollection((table) =>
    createRecordRepository(connection, table, { ...shared, texts: texts.get(table.name) ?? null }),
  )
  const ofStored = createStoredRecordRepositories(connection, {
    ...shared,
    texts: storedTexts,
    keys,
    runStep: runAtOnce,
  })
  return {
    records: (storage: RecordStorage) => (typeof storage === 'string' ? ofTable(storage) : ofStored.of(storage)),
    collections: createCollectionRepository(connection, {
      ...{ definitions, counts, keys, epoch, rowCache },
      removeRecords: ofStored.removeSome,
    }),
    deletions: createDeletionRepository(connection, keys),
    unindexedRecords: createUnindexedRecords(connection, definitions),
  }
}

const createRepositories = (connection: Connection, context: WriterContext): SqliteTx => {
  const { rowCache, usage, marks, epoch } = context
  return {
    users: createUserRepository(connection, rowCache.clear),
    sessions: createSessionRepository(connection, rowCache),
    refreshTokens: createRefreshTokenRepository(connection),
    signInSources: createSignInSourceRepository(connection),
    mailTokens: createMailTokenRepository(connection),
    mailLimits: createMailLimitRepository(connection),
    jobs: createJobRepository(connection, () => {
      marks.jobs = true
    }),
    ...createRecordParts(connection, context),
    files: createFileRepository(connection, usage),
    fileLinks: createFileLinkRepository(connection),
    events: createEventRepository(connection, usage, () => {
      marks.events = true
    }),
    audit: createAuditRepository(connection),
    epochs: createEpochWriter(connection, epoch),
    idempotency: createIdempotencyRepository(connection, usage),
    usage: usage.repository,
    backups: createBackupRepository(connection),
  }
}

const createRecordReaders = (connection: Connection, { cacheLookUp }: ReadSnapshot, runStep: RunStep) => {
  const definitions = createDefinitions(connection, cacheLookUp)
  const database = createQueryDatabase(connection, definitions)
  const ofTable = byCollection((table) => createRecordReader(connection, table, { database, cacheLookUp, runStep }))
  const ofStored = createStoredRecordReaders(connection, database, runStep, cacheLookUp)
  return {
    collections: createCollectionReader(definitions, createCountReader(connection)),
    records: (storage: RecordStorage) => (typeof storage === 'string' ? ofTable(storage) : ofStored(storage)),
  }
}

const createReaders = (
  connection: Connection,
  snapshot: ReadSnapshot,
  epoch: PresentEpoch,
  runStep: RunStep,
): ReadTx => ({
  users: createUserReader(connection, snapshot.cacheLookUp, runStep),
  sessions: createSessionReader(connection),
  signInSources: createSignInSourceReader(connection),
  mailTokens: createMailTokenReader(connection),
  jobs: createJobReader(connection, runStep),
  ...createRecordReaders(connection, snapshot, runStep),
  deletions: createDeletionReader(connection),
  files: createFileReader(connection, runStep),
  fileLinks: createFileLinkReader(connection),
  events: createEventReader(connection),
  audit: createAuditReader(connection),
  epochs: createEpochReader(connection, epoch),
  usage: createUsageReader(connection),
  backups: createBackupReader(connection),
})

/** `wal-sync.ts` does syncs and checkpoints. */
const openQueueWriter = (path: string): Connection => {
  const writer = openWriter(path)
  writer.run('PRAGMA synchronous = NORMAL')
  writer.run('PRAGMA wal_autocheckpoint = 0')
  // After a checkpoint, a log that has grown in a burst shrinks again.
  writer.run(`PRAGMA journal_size_limit = ${MAX_IDLE_WAL_BYTES}`)
  return writer
}

/**
 * Closing moves the write-ahead log into the database file; writes that are still waiting for a lock are rejected.
 * `requeueAbandonedJobs` relies on no other process serving this file.
 */
export const openSqliteStore = ({ path, onOpenWriter, onJobs, onEvents, quotaBytes, ...options }: Options): Store => {
  const open = () => {
    const writer = openQueueWriter(path)
    return onOpenWriter?.(writer) ?? writer
  }
  const reader = openReader(path)
  const { wal = openWal(fileOf(reader)), onLost = crash } = options
  const snapshot = createReadSnapshot(reader)
  const marks: CommitMarks = { jobs: false, events: false, unindexed: false }
  const epoch = presentEpoch(reader)
  const writer = createWriter<SqliteTx>({
    open,
    repositories(connection, rowCache) {
      const onUnindexed = () => {
        marks.unindexed = true
      }
      const texts = new Map(TEXT_TABLES.map((table) => [table, createRecordText(connection, table, onUnindexed)]))
      const usage = createUsage(connection, quotaBytes ?? Number.POSITIVE_INFINITY)
      const counts = createRecordCounts(connection)
      const keys = createRecordKeys(connection)
      const tx = createRepositories(connection, { texts, rowCache, usage, counts, keys, marks, epoch })
      return { tx, deferred: [usage, counts, keys, ...texts.values()] }
    },
  })
  const commits = createCommitQueue<SqliteTx>({
    writer,
    snapshot,
    walSync: createWalSync({ wal, reader, snapshot, onLost }),
    afterCommit() {
      const { jobs, events, unindexed } = marks
      marks.jobs = false
      marks.events = false
      marks.unindexed = false
      if (jobs) onJobs?.()
      if (events) onEvents?.()
      if (unindexed) indexing.start()
    },
    ...options,
  })
  const indexing = createBackgroundWorker(() => commits.write(async (writing) => writing.unindexedRecords.step()))
  const enqueueStep = createStepQueue({ limit: 1 })
  // Between two turns there is no snapshot.
  const runStep: RunStep = (account, step, isLong) =>
    enqueueStep(
      account,
      () => {
        snapshot.begin()
        return step()
      },
      isLong,
    )
  const tx = createReaders(reader, snapshot, epoch, runStep)
  const alive = reader.prepare('SELECT 1 FROM users LIMIT 1')
  const storedSize = createStoredSize(path, reader)

  const failed = (error: unknown): never => {
    throw toAppError(error)
  }
  const read = <T>(work: (tx: ReadTx) => Promise<T>): Promise<T> => {
    try {
      snapshot.begin()
      return work(tx).catch(failed)
    } catch (error) {
      return Promise.reject(toAppError(error))
    }
  }

  wal.begin()
  if (hasUnindexedRecords(reader)) indexing.start()

  let closing: Promise<void> | null = null
  const shut = async (timeoutMs: number) => {
    indexing.stop()
    await commits.close(timeoutMs)
    await wal.close()
    snapshot.end()
    reader.run('PRAGMA query_only = OFF')
    reader.run('PRAGMA wal_checkpoint(TRUNCATE)')
    reader.close()
  }

  return {
    write: commits.write,
    read,
    async beginEpoch() {
      epoch.current = await commits.write((writing) => writing.epochs.begin())
    },
    requeueAbandonedJobs: (now) => commits.write((writing) => writing.jobs.releaseAll(now)),
    async ping() {
      await read(async () => void alive.get())
      await access(path, constants.W_OK)
      await checkFreeSpace(dirname(path))
    },
    measure: () => read(async () => storedSize()),
    close(timeoutMs = Number.POSITIVE_INFINITY) {
      closing ??= shut(timeoutMs)
      return closing
    },
  }
}
