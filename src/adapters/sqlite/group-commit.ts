import { AsyncLocalStorage } from 'node:async_hooks'
import { AppError } from '../../domain/errors.ts'
import { type Connection, isBusy, toAppError } from './database.ts'

interface Unit<Tx> {
  readonly work: (tx: Tx) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly queuedAt: number
}

interface Options<Tx> {
  /** Called again when a unit broke the rules and its connection had to be given up. */
  readonly open: () => Connection
  readonly repositories: (writer: Connection) => Tx
  /** Called after each commit, before the promises of its units run on. */
  readonly afterCommit?: () => void
  /** Milliseconds a unit waits for a lock held by another process. */
  readonly lockTimeout?: number
}

export interface GroupCommit<Tx> {
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Runs what is queued, then closes the connection. */
  close(): Promise<void>
}

const BATCH = 512
const QUEUE = 20_000
const LOCK_RETRY_MS = 10

const unavailable = (message: string, cause?: unknown) => new AppError('unavailable', message, { cause, retryAfter: 1 })

/**
 * One writer, one COMMIT for all units that wait at that moment: a disk sync costs the same for one row as for hundreds.
 * Each unit runs in its own SAVEPOINT, so one that throws rolls back alone; every promise settles after the COMMIT.
 */
export const createGroupCommit = <Tx>({
  open,
  repositories,
  afterCommit,
  lockTimeout = 5_000,
}: Options<Tx>): GroupCommit<Tx> => {
  const use = (connection: Connection) => {
    const begin = connection.prepare('BEGIN IMMEDIATE')
    const commit = connection.prepare('COMMIT')
    const rollback = connection.prepare('ROLLBACK')
    const save = connection.prepare('SAVEPOINT unit')
    const release = connection.prepare('RELEASE unit')
    const undo = connection.prepare('ROLLBACK TO unit')
    return { connection, tx: repositories(connection), begin, commit, rollback, save, release, undo }
  }
  const insideUnit = new AsyncLocalStorage<true>()
  let writer = use(open())
  let queue: Unit<Tx>[] = []
  let running = false
  let closed: (() => void) | null = null

  const schedule = () => {
    if (running) return
    running = true
    setImmediate(flush)
  }

  const begin = (): boolean => {
    try {
      writer.begin.run()
      return true
    } catch (error) {
      const tooLate = isBusy(error) ? performance.now() - lockTimeout : Number.POSITIVE_INFINITY
      const failure = toAppError(error)
      for (const unit of queue) if (unit.queuedAt <= tooLate) unit.reject(failure)
      queue = queue.filter((unit) => unit.queuedAt > tooLate)
      return false
    }
  }

  /** A unit that waits for anything but its transaction would hold up all others: it is given up, they run again. */
  const replaceWriter = () => {
    writer.rollback.run()
    writer.connection.close()
    writer = use(open())
  }

  const runUnit = async (unit: Unit<Tx>, strayed: Promise<never>): Promise<() => void> => {
    writer.save.run()
    try {
      const value = await Promise.race([insideUnit.run(true, () => unit.work(writer.tx)), strayed])
      writer.release.run()
      return () => unit.resolve(value)
    } catch (error) {
      if (error instanceof Strayed) throw error
      const failure = toAppError(error)
      // A full disk or an I/O error makes SQLite roll the whole transaction back.
      if (!writer.connection.database.inTransaction) throw failure
      writer.undo.run()
      writer.release.run()
      return () => unit.reject(failure)
    }
  }

  const commit = async (batch: readonly Unit<Tx>[]): Promise<void> => {
    const { promise: strayed, reject: stray } = Promise.withResolvers<never>()
    strayed.catch(() => {})
    const watch = setImmediate(() => stray(new Strayed()))
    const settle: (() => void)[] = []
    try {
      for (const unit of batch) settle.push(await runUnit(unit, strayed))
      writer.commit.run()
      for (const done of settle) done()
      afterCommit?.()
    } catch (error) {
      if (error instanceof Strayed) {
        replaceWriter()
        batch[settle.length]?.reject(error)
        queue = batch.filter((_, index) => index !== settle.length).concat(queue)
        return
      }
      if (writer.connection.database.inTransaction) writer.rollback.run()
      const failure = toAppError(error)
      for (const unit of batch) unit.reject(failure)
    } finally {
      clearImmediate(watch)
    }
  }

  const flush = async () => {
    if (queue.length > 0 && begin()) await commit(queue.splice(0, BATCH))
    else if (queue.length > 0) {
      setTimeout(flush, LOCK_RETRY_MS)
      return
    }
    running = false
    if (queue.length > 0) schedule()
    else closed?.()
  }

  return {
    write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      if (insideUnit.getStore()) return Promise.reject(new Error('write called inside a unit of work'))
      if (closed) return Promise.reject(unavailable('The server is stopping'))
      if (queue.length >= QUEUE) return Promise.reject(unavailable('Too many writes are waiting'))
      return new Promise<T>((resolve, reject) => {
        const settle = resolve as (value: unknown) => void
        queue.push({ work, resolve: settle, reject, queuedAt: performance.now() })
        schedule()
      })
    },

    async close() {
      await new Promise<void>((resolve) => {
        closed = resolve
        if (!running) resolve()
      })
      writer.connection.close()
    },
  }
}

class Strayed extends Error {
  constructor() {
    super('a unit of work waited for something other than its transaction')
  }
}
