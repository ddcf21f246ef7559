import type { RecordStorage } from '../../application/ports/collections.ts'
import type { ReadTx, Tx } from '../../application/ports/persistence.ts'
import { byCollection } from '../sql/record-table.ts'
import { type RunStep, runAtOnce } from '../sql/step-queue.ts'
import { createAuditReader, createAuditRepository } from './audit.ts'
import { createBackupReader, createBackupRepository } from './backups.ts'
import { createCollectionReader, createCollectionRepository } from './collections.ts'
import type { Connection } from './database.ts'
import { createDefinitions, type Definitions } from './definitions.ts'
import { createDeletionReader, createDeletionRepository } from './deletions.ts'
import { createEpochReader, createEpochWriter, type EpochWriter, type PresentEpoch } from './epochs.ts'
import { createEventReader, createEventRepository } from './events.ts'
import { createFileLinkReader, createFileLinkRepository } from './file-links.ts'
import { createFileReader, createFileRepository } from './files.ts'
import { createIdempotencyRepository } from './idempotency.ts'
import { createJobReader, createJobRepository, type SqliteJobRepository } from './jobs.ts'
import { createMailLimitRepository } from './mail-limits.ts'
import { createMailTokenReader, createMailTokenRepository } from './mail-tokens.ts'
import { createQueryDatabase } from './query-database.ts'
import type { ReadSnapshot } from './read-snapshot.ts'
import { createCountReader, type RecordCounts } from './record-counts.ts'
import type { RecordKeys } from './record-keys.ts'
import { createUnindexedRecords, type RecordText, type UnindexedRecords } from './record-text.ts'
import { createRecordReader, createRecordRepository } from './records.ts'
import type { RowCache } from './row-cache.ts'
import { createRefreshTokenRepository, createSessionReader, createSessionRepository } from './sessions.ts'
import { createSignInSourceReader, createSignInSourceRepository } from './sign-in-sources.ts'
import { createStoredRecordReaders, createStoredRows, recordOfFound, type StoredRows } from './stored-record-readers.ts'
import { createStoredRecordRepositories } from './stored-records.ts'
import { createUsageReader, type Usage } from './usage.ts'
import { createUserReader, createUserRepository } from './users.ts'

/** What a unit works with. */
export interface SqliteTx extends Tx {
  readonly jobs: SqliteJobRepository
  readonly epochs: EpochWriter
  readonly unindexedRecords: UnindexedRecords
}

/** What the transaction changed, and so which listeners to call after its commit. */
export interface CommitMarks {
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

const createFindNow =
  (definitions: Definitions, rows: StoredRows): NonNullable<ReadTx['findNow']> =>
  (collection, id) => {
    const stored = definitions.find(collection)
    if (stored === null) return undefined
    const found = rows(id)
    return found && recordOfFound(stored, found)
  }

/** The records of the writer connection, and the definitions of their collections. */
const createRecordParts = (connection: Connection, context: WriterContext) => {
  const { texts, rowCache, usage, counts, keys, epoch } = context
  const definitions = createDefinitions(connection, rowCache.cacheLookUp)
  const database = createQueryDatabase(connection, definitions)
  const rows = createStoredRows(connection, rowCache.cacheLookUp)
  const storedTexts = texts.get('records')
  if (storedTexts === undefined) throw new Error('there is no text index of records')
  const shared = { epoch, usage, counts, database }
  const ofTable = byCollection((table) =>
    createRecordRepository(connection, table, { ...shared, texts: texts.get(table.name) ?? null }),
  )
  const ofStored = createStoredRecordRepositories(connection, {
    ...shared,
    texts: storedTexts,
    rows,
    keys,
    runStep: runAtOnce,
  })
  return {
    records: (storage: RecordStorage) => (typeof storage === 'string' ? ofTable(storage) : ofStored.of(storage)),
    findNow: createFindNow(definitions, rows),
    collections: createCollectionRepository(connection, {
      ...{ definitions, counts, keys, epoch, rowCache },
      removeRecords: ofStored.removeSome,
    }),
    deletions: createDeletionRepository(connection, { keys, rows }),
    unindexedRecords: createUnindexedRecords(connection, definitions),
  }
}

export const createRepositories = (connection: Connection, context: WriterContext): SqliteTx => {
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

const createRecordReaders = (connection: Connection, { cacheLookUp, cacheCount }: ReadSnapshot, runStep: RunStep) => {
  const definitions = createDefinitions(connection, cacheLookUp)
  const rows = createStoredRows(connection, cacheLookUp)
  const database = createQueryDatabase(connection, definitions, { rows, cacheCount })
  const parts = { database, cacheLookUp, cacheCount, runStep }
  const ofTable = byCollection((table) => createRecordReader(connection, table, parts))
  const ofStored = createStoredRecordReaders(connection, database, runStep, rows)
  return {
    collections: createCollectionReader(definitions, createCountReader(connection)),
    records: (storage: RecordStorage) => (typeof storage === 'string' ? ofTable(storage) : ofStored(storage)),
    findNow: createFindNow(definitions, rows),
  }
}

export const createReaders = (
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
