import type { ReadTx, Tx } from '../../application/ports/persistence.ts'
import { byCollection } from '../sql/record-table.ts'
import type { RunStep } from '../sql/step-queue.ts'
import type { UsageChanges } from '../sql/usage.ts'
import type { Connection } from './connection.ts'
import { createEpochReader, type PresentEpoch } from './epochs.ts'
import { createEventReader, createEventRepository } from './events.ts'
import { createFileLinkReader, createFileLinkRepository } from './file-links.ts'
import { createFileReader, createFileRepository } from './files.ts'
import { createIdempotencyRepository } from './idempotency.ts'
import { createJobReader, createJobRepository } from './jobs.ts'
import { createMailLimitRepository } from './mail-limits.ts'
import { createMailTokenReader, createMailTokenRepository } from './mail-tokens.ts'
import { createRecordReader, createRecordRepository } from './records.ts'
import {
  type CachedSessionAccounts,
  createRefreshTokenRepository,
  createSessionReader,
  createSessionRepository,
} from './sessions.ts'
import { createSignInSourceReader, createSignInSourceRepository } from './sign-in-sources.ts'
import type { UnitTransaction } from './unit-transaction.ts'
import { createUsageReader, createUsageRepository } from './usage.ts'
import { createUserReader, createUserRepository } from './users.ts'

/** What the transaction changed, and so which listeners to call after its commit. */
export interface CommitMarks {
  jobs: boolean
  events: boolean
}

const lazy = <T>(make: () => T): (() => T) => {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** Shared by the units of one transaction. */
export interface TransactionContext {
  readonly marks: CommitMarks
  readonly cachedAccounts: CachedSessionAccounts
  readonly epoch: PresentEpoch
  readonly usage: UsageChanges
}

/** Repositories of one unit; most use two or three of them. */
export const createRepositories = (
  transaction: UnitTransaction,
  { marks, cachedAccounts, epoch, usage: counted }: TransactionContext,
): Tx => {
  const users = lazy(() => createUserRepository(transaction))
  const sessions = lazy(() => createSessionRepository(transaction, cachedAccounts))
  const refreshTokens = lazy(() => createRefreshTokenRepository(transaction))
  const signInSources = lazy(() => createSignInSourceRepository(transaction))
  const mailTokens = lazy(() => createMailTokenRepository(transaction))
  const mailLimits = lazy(() => createMailLimitRepository(transaction))
  const records = byCollection((table) => createRecordRepository(transaction, table, { epoch, usage: counted }))
  const files = lazy(() => createFileRepository(transaction, counted))
  const fileLinks = lazy(() => createFileLinkRepository(transaction))
  const epochs = lazy(() => createEpochReader(transaction, epoch))
  const idempotency = lazy(() => createIdempotencyRepository(transaction, counted))
  const usage = lazy(() => createUsageRepository(transaction, counted))
  const jobs = lazy(() =>
    createJobRepository(transaction, () => {
      marks.jobs = true
    }),
  )
  const events = lazy(() =>
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
    records,
    get files() {
      return files()
    },
    get fileLinks() {
      return fileLinks()
    },
    get events() {
      return events()
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
  }
}

export const createReaders = (connection: Connection, epoch: PresentEpoch, runStep: RunStep): ReadTx => ({
  users: createUserReader(connection),
  sessions: createSessionReader(connection),
  signInSources: createSignInSourceReader(connection),
  mailTokens: createMailTokenReader(connection),
  jobs: createJobReader(connection),
  records: byCollection((table) => createRecordReader(connection, table, '', runStep)),
  files: createFileReader(connection),
  fileLinks: createFileLinkReader(connection),
  events: createEventReader(connection),
  epochs: createEpochReader(connection, epoch),
  usage: createUsageReader(connection),
})
