import type { ReadTx, Tx } from '../../application/ports/persistence.ts'
import type { Connection } from './connection.ts'
import { createEventReader, createEventRepository } from './events.ts'
import { createFileLinkReader, createFileLinkRepository } from './file-links.ts'
import { createFileReader, createFileRepository } from './files.ts'
import { createIdempotencyRepository } from './idempotency.ts'
import { createItemReader, createItemRepository } from './items.ts'
import { createJobReader, createJobRepository } from './jobs.ts'
import { createMailTokenReader, createMailTokenRepository } from './mail-tokens.ts'
import { createRefreshTokenRepository, createSessionReader, createSessionRepository, type Holders } from './sessions.ts'
import type { Share } from './share.ts'
import { createSignInSourceReader, createSignInSourceRepository } from './sign-in-sources.ts'
import { createUserReader, createUserRepository } from './users.ts'

/** What a commit is to be told of. */
export interface Marks {
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

/** Repositories of one unit; most use two or three of them. */
export const writing = (transaction: Share, marks: Marks, holders: Holders): Tx => {
  const users = lazy(() => createUserRepository(transaction))
  const sessions = lazy(() => createSessionRepository(transaction, holders))
  const refreshTokens = lazy(() => createRefreshTokenRepository(transaction))
  const signInSources = lazy(() => createSignInSourceRepository(transaction))
  const mailTokens = lazy(() => createMailTokenRepository(transaction))
  const items = lazy(() => createItemRepository(transaction))
  const files = lazy(() => createFileRepository(transaction))
  const fileLinks = lazy(() => createFileLinkRepository(transaction))
  const idempotency = lazy(() => createIdempotencyRepository(transaction))
  const jobs = lazy(() =>
    createJobRepository(transaction, () => {
      marks.jobs = true
    }),
  )
  const events = lazy(() =>
    createEventRepository(transaction, () => {
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
    get items() {
      return items()
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
    get idempotency() {
      return idempotency()
    },
  }
}

export const reading = (connection: Connection): ReadTx => ({
  users: createUserReader(connection),
  sessions: createSessionReader(connection),
  signInSources: createSignInSourceReader(connection),
  mailTokens: createMailTokenReader(connection),
  jobs: createJobReader(connection),
  items: createItemReader(connection),
  files: createFileReader(connection),
  fileLinks: createFileLinkReader(connection),
  events: createEventReader(connection),
})
