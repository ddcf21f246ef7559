import { onFirstUse } from '../../application/first-use.ts'
import type { ReadTx, Tx } from '../../application/ports/persistence.ts'
import { byCollection } from '../sql/record-table.ts'
import type { RunStep } from '../sql/step-queue.ts'
import type { UsageChanges } from '../sql/usage.ts'
import { createAuditReader, createAuditRepository } from './audit.ts'
import { createBackupReader, createBackupRepository } from './backups.ts'
import { createCollectionReader, createCollectionRepository, type LockedDefinitions } from './collections.ts'
import type { Connection } from './connection.ts'
import type { DefinitionCache } from './definitions.ts'
import { createDeletionReader, createDeletionRepository } from './deletions.ts'
import { createEpochReader, type PresentEpoch } from './epochs.ts'
import { createEventReader, createEventRepository } from './events.ts'
import { createFileLinkReader, createFileLinkRepository } from './file-links.ts'
import { createFileReader, createFileRepository } from './files.ts'
import { createIdempotencyRepository } from './idempotency.ts'
import { createJobReader, createJobRepository } from './jobs.ts'
import { createMailLimitRepository } from './mail-limits.ts'
import { createMailTokenReader, createMailTokenRepository } from './mail-tokens.ts'
import { createQueryDatabase } from './query-database.ts'
import { createRecordReader, createRecordRepository } from './records.ts'
import {
  type CachedSessionAccounts,
  createRefreshTokenRepository,
  createSessionReader,
  createSessionRepository,
} from './sessions.ts'
import { createSignInSourceReader, createSignInSourceRepository } from './sign-in-sources.ts'
import { createStoredRecordReaders } from './stored-record-readers.ts'
import { createStoredRecordRepositories, type LockedRows } from './stored-records.ts'
import type { UnitTransaction } from './unit-transaction.ts'
import { createUsageReader, createUsageRepository } from './usage.ts'
import { createUserReader, createUserRepository } from './users.ts'

/** What the transaction changed, and so which listeners to call after its commit. */
export interface CommitMarks {
  jobs: boolean
  events: boolean
}

/** Shared by the units of one transaction. */
export interface TransactionContext {
  readonly marks: CommitMarks
  readonly cachedAccounts: CachedSessionAccounts
  readonly epoch: PresentEpoch
  readonly usage: UsageChanges
  readonly cache: DefinitionCache
  readonly locked: LockedDefinitions
}

/** Repositories of one unit; most use two or three of them. */
export const createRepositories = (
  transaction: UnitTransaction,
  { marks, cachedAccounts, epoch, usage: counted, cache, locked }: TransactionContext,
): Tx => {
  const users = onFirstUse(() => createUserRepository(transaction))
  const sessions = onFirstUse(() => createSessionRepository(transaction, cachedAccounts))
  const refreshTokens = onFirstUse(() => createRefreshTokenRepository(transaction))
  const signInSources = onFirstUse(() => createSignInSourceRepository(transaction))
  const mailTokens = onFirstUse(() => createMailTokenRepository(transaction))
  const mailLimits = onFirstUse(() => createMailLimitRepository(transaction))
  const collections = onFirstUse(() =>
    createCollectionRepository(transaction, { cache, locked, epoch, usage: counted }),
  )
  const unit = { database: createQueryDatabase(transaction, (name) => collections().find(name)), epoch, usage: counted }
  const coded = byCollection((table) => createRecordRepository(transaction, table, unit))
  const lockedRows: LockedRows = new Map()
  const stored = onFirstUse(() => createStoredRecordRepositories(transaction, unit, lockedRows))
  const deletions = onFirstUse(() => createDeletionRepository(transaction, lockedRows))
  const files = onFirstUse(() => createFileRepository(transaction, counted))
  const fileLinks = onFirstUse(() => createFileLinkRepository(transaction))
  const audit = onFirstUse(() => createAuditRepository(transaction))
  const epochs = onFirstUse(() => createEpochReader(transaction, epoch))
  const idempotency = onFirstUse(() => createIdempotencyRepository(transaction, counted))
  const usage = onFirstUse(() => createUsageRepository(transaction, counted))
  const backups = onFirstUse(() => createBackupRepository(transaction))
  const jobs = onFirstUse(() =>
    createJobRepository(transaction, () => {
      marks.jobs = true
    }),
  )
  const events = onFirstUse(() =>
    createEventRepository(transaction, counted, () => {
      marks.events = true
    }),
  )
  return {
    get users() {
      return users()
    },
    get sessions() {
      return sessions()
    },
    get refreshTokens() {
      return refreshTokens()
    },
    get signInSources() {
      return signInSources()
    },
    get mailTokens() {
      return mailTokens()
    },
    get jobs() {
      return jobs()
    },
    get mailLimits() {
      return mailLimits()
    },
    get collections() {
      return collections()
    },
    records: (storage) => (typeof storage === 'string' ? coded(storage) : stored()(storage)),
    get deletions() {
      return deletions()
    },
    get files() {
      return files()
    },
    get fileLinks() {
      return fileLinks()
    },
    get events() {
      return events()
    },
    get audit() {
      return audit()
    },
    get epochs() {
      return epochs()
    },
    get idempotency() {
      return idempotency()
    },
    get usage() {
      return usage()
    },
    get backups() {
      return backups()
    },
  }
}

export const createReaders = (
  connection: Connection,
  epoch: PresentEpoch,
  cache: DefinitionCache,
  runStep: RunStep,
): ReadTx => {
  const collections = createCollectionReader(connection, cache)
  const database = createQueryDatabase(connection, collections.find)
  const coded = byCollection((table) => createRecordReader(connection, table, { database, runStep }))
  const stored = createStoredRecordReaders(connection, database, runStep)
  return {
    users: createUserReader(connection),
    sessions: createSessionReader(connection),
    signInSources: createSignInSourceReader(connection),
    mailTokens: createMailTokenReader(connection),
    jobs: createJobReader(connection),
    collections,
    records: (storage) => (typeof storage === 'string' ? coded(storage) : stored(storage)),
    deletions: createDeletionReader(connection),
    files: createFileReader(connection),
    fileLinks: createFileLinkReader(connection),
    events: createEventReader(connection),
    audit: createAuditReader(connection),
    epochs: createEpochReader(connection, epoch),
    usage: createUsageReader(connection),
    backups: createBackupReader(connection),
  }
}
