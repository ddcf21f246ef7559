import { AsyncLocalStorage } from 'node:async_hooks'
import type { Metrics } from '../../application/ports/metrics.ts'
import type { ReadTx, Store, Tx } from '../../application/ports/persistence.ts'
import type { Connection, Transaction } from './connection.ts'
import { isLost, toAppError, unavailable } from './errors.ts'
import { createEventReader, createEventRepository } from './events.ts'
import { createFileLinkReader, createFileLinkRepository } from './file-links.ts'
import { createFileReader, createFileRepository } from './files.ts'
import { createIdempotencyRepository } from './idempotency.ts'
import { createItemReader, createItemRepository } from './items.ts'
import { createJobReader, createJobRepository } from './jobs.ts'
import { createMailTokenReader, createMailTokenRepository } from './mail-tokens.ts'
import { createPool, type PoolOptions } from './pool.ts'
import { createRefreshTokenRepository, createSessionReader, createSessionRepository } from './sessions.ts'
import { Repeatable, transact } from './transaction.ts'
import { createUserReader, createUserRepository } from './users.ts'

interface Options extends PoolOptions {
  readonly metrics?: Pick<Metrics, 'databaseWaited' | 'committed'>
  /** Called after a commit that put jobs into the queue. */
  readonly onJobs?: () => void
  /** Called after a commit that appended events to the log. */
  readonly onEvents?: () => void
}

/** A unit that meets others again and again is refused at last. */
const MOST_TRIES = 50
const LONGEST_PAUSE_MS = 50
const PING_MS = 2_000

interface Marks {
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

/** Repositories of one transaction, which ends with it; most units use two or three of them. */
const writing = (transaction: Transaction, marks: Marks): Tx => {
  const users = lazy(() => createUserRepository(transaction))
  const sessions = lazy(() => createSessionRepository(transaction))
  const refreshTokens = lazy(() => createRefreshTokenRepository(transaction))
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

const reading = (connection: Connection): ReadTx => ({
  users: createUserReader(connection),
  sessions: createSessionReader(connection),
  mailTokens: createMailTokenReader(connection),
  jobs: createJobReader(connection),
  items: createItemReader(connection),
  files: createFileReader(connection),
  fileLinks: createFileLinkReader(connection),
  events: createEventReader(connection),
})

const within = async (milliseconds: number, work: Promise<unknown>): Promise<void> => {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(unavailable('The database does not answer')), milliseconds)
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Opens no connection before it is needed. The database must be migrated. */
export const openPostgresStore = ({ metrics, onJobs, onEvents, ...options }: Options): Store => {
  const pool = createPool(options)
  const insideUnit = new AsyncLocalStorage<true>()
  const tx = reading({
    // A connection that was lost while idle, or with the server's restart, is no reason to refuse a read.
    query: (sql, ...parameters) =>
      pool.query<never>(sql, ...parameters).catch((error: unknown) => {
        if (!isLost(error)) throw error
        return pool.query<never>(sql, ...parameters)
      }),
  })

  const attempt = async <T>(work: (tx: Tx) => Promise<T>): Promise<T> => {
    const marks: Marks = { jobs: false, events: false }
    const askedAt = performance.now()
    let begunAt = askedAt
    const value = await pool.exclusively((link) => {
      begunAt = performance.now()
      metrics?.databaseWaited('connection', begunAt - askedAt)
      return transact(link, (transaction) => insideUnit.run(true, () => work(writing(transaction, marks))))
    })
    metrics?.committed(1, performance.now() - begunAt)
    if (marks.jobs) onJobs?.()
    if (marks.events) onEvents?.()
    return value
  }

  return {
    async write(work) {
      if (insideUnit.getStore()) throw new Error('write called inside a unit of work')
      for (let tries = 1; ; tries++) {
        try {
          return await attempt(work)
        } catch (error) {
          if (!(error instanceof Repeatable)) throw toAppError(error)
          if (tries >= (error.isConflict ? MOST_TRIES : 2)) throw toAppError(error.cause)
        }
        await Bun.sleep(Math.random() * Math.min(2 ** tries, LONGEST_PAUSE_MS))
      }
    },
    async read(work) {
      try {
        return await work(tx)
      } catch (error) {
        throw toAppError(error)
      }
    },
    // Other processes may be at work on them: what they leave behind comes back when its lease is over.
    async takeBackJobs() {},
    async ping() {
      await within(PING_MS, pool.query('SELECT FROM users LIMIT 1')).catch((error: unknown) => {
        throw toAppError(error)
      })
    },
    close: (timeout = Number.POSITIVE_INFINITY) => pool.close(timeout),
  }
}
