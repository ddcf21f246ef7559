import { access, constants, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Awaitable } from '../../application/awaitable.ts'
import type { StoreOptions } from '../../application/ports/engine.ts'
import type { ReadTx, Store } from '../../application/ports/persistence.ts'
import { AppError } from '../../domain/errors.ts'
import { createBackgroundWorker } from '../sql/background-worker.ts'
import { createStepQueue, type RunStep } from '../sql/step-queue.ts'
import { createCommitQueue } from './commit-queue.ts'
import { type Connection, fileOf, openReader, openWriter, toAppError } from './database.ts'
import { type PresentEpoch, presentEpoch } from './epochs.ts'
import { createReadSnapshot, type ReadSnapshot } from './read-snapshot.ts'
import { createRecordCounts } from './record-counts.ts'
import { createRecordKeys } from './record-keys.ts'
import { createRecordText, hasUnindexedRecords, TEXT_TABLES } from './record-text.ts'
import { type CommitMarks, createReaders, createRepositories, type SqliteTx } from './repositories.ts'
import { createSharedReadSnapshot } from './shared-read-snapshot.ts'
import { createStoredSize } from './stored-size.ts'
import { createUsage } from './usage.ts'
import { createWalSync, openWal, type Wal } from './wal-sync.ts'
import { createWriter } from './writer.ts'
import type { WritersLock } from './writers-lock.ts'

interface Options extends StoreOptions {
  /** A migrated database. */
  readonly path: string
  readonly lockTimeoutMs?: number
  /** If other threads have the same database open. */
  readonly lock?: WritersLock
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

/** `wal-sync.ts` does syncs and checkpoints. */
const openQueueWriter = (path: string, onOpenWriter: Options['onOpenWriter']): Connection => {
  const writer = openWriter(path)
  writer.run('PRAGMA synchronous = NORMAL')
  writer.run('PRAGMA wal_autocheckpoint = 0')
  // After a checkpoint, a log that has grown in a burst shrinks again.
  writer.run(`PRAGMA journal_size_limit = ${MAX_IDLE_WAL_BYTES}`)
  return onOpenWriter?.(writer) ?? writer
}

const failed = (error: unknown): never => {
  throw toAppError(error)
}

interface WritingDeps {
  readonly open: () => Connection
  readonly quotaBytes: number | undefined
  readonly marks: CommitMarks
  readonly epoch: PresentEpoch
}

const createStoreWriter = ({ open, quotaBytes = Number.POSITIVE_INFINITY, marks, epoch }: WritingDeps) =>
  createWriter<SqliteTx>({
    open,
    repositories(connection, rowCache) {
      const onUnindexed = () => {
        marks.unindexed = true
      }
      const texts = new Map(TEXT_TABLES.map((table) => [table, createRecordText(connection, table, onUnindexed)]))
      const usage = createUsage(connection, quotaBytes)
      const counts = createRecordCounts(connection)
      const keys = createRecordKeys(connection)
      const tx = createRepositories(connection, { texts, rowCache, usage, counts, keys, marks, epoch })
      return { tx, deferred: [usage, counts, keys, ...texts.values()] }
    },
  })

/** Reads in the snapshot, at once if it is ready. */
const createReads = (reader: Connection, snapshot: ReadSnapshot, epoch: PresentEpoch): Store['read'] => {
  const enqueueStep = createStepQueue({ limit: 1 })
  const inSnapshot = <T>(work: () => T | Promise<T>, since = snapshot.since()): T | Promise<T> => {
    const ready = snapshot.begin(since)
    return ready === undefined ? work() : ready.then(() => inSnapshot(work, since))
  }
  // Between two turns there is no snapshot.
  const runStep: RunStep = (account, step, isLong) => enqueueStep(account, () => inSnapshot(step), isLong)
  const tx = createReaders(reader, snapshot, epoch, runStep)

  return <T>(work: (tx: ReadTx) => Awaitable<T>): Promise<T> => {
    try {
      const result = inSnapshot(() => work(tx))
      return result instanceof Promise ? result.catch(failed) : Promise.resolve(result)
    } catch (error) {
      return Promise.reject(toAppError(error))
    }
  }
}

/**
 * Closing moves the write-ahead log into the database file; writes that are still waiting for a lock are rejected.
 * `requeueAbandonedJobs` relies on no other process serving this file.
 */
export const openSqliteStore = ({ path, onOpenWriter, onJobs, onEvents, quotaBytes, ...options }: Options): Store => {
  const reader = openReader(path)
  const { onLost = crash, lock, wal = openWal(fileOf(reader), lock) } = options
  const snapshot = lock === undefined ? createReadSnapshot(reader) : createSharedReadSnapshot(reader, lock)
  const marks: CommitMarks = { jobs: false, events: false, unindexed: false }
  const epoch = presentEpoch(reader)
  const writer = createStoreWriter({ open: () => openQueueWriter(path, onOpenWriter), quotaBytes, marks, epoch })
  const commits = createCommitQueue<SqliteTx>({
    writer,
    snapshot,
    walSync: createWalSync({
      ...{ wal, reader, snapshot },
      onLost(error) {
        lock?.markLost()
        onLost(error)
      },
    }),
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
  const read = createReads(reader, snapshot, epoch)
  const alive = reader.prepare('SELECT 1 FROM users LIMIT 1')
  const storedSize = createStoredSize(path, reader)

  if (hasUnindexedRecords(reader)) indexing.start()

  let closing: Promise<void> | null = null
  const shut = async (timeoutMs: number) => {
    indexing.stop()
    await commits.close(timeoutMs)
    await wal.close()
    snapshot.end()
    reader.run('PRAGMA query_only = OFF')
    // Other threads may still write; the last connection moves the log by itself.
    if (lock === undefined) reader.run('PRAGMA wal_checkpoint(TRUNCATE)')
    reader.close()
  }

  return {
    write: commits.write,
    read,
    async beginEpoch() {
      epoch.current = await commits.write((writing) => writing.epochs.begin())
    },
    beginServing: wal.begin,
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
