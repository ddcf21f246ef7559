import { AsyncLocalStorage } from 'node:async_hooks'
import type { Metrics } from '../../application/ports/metrics.ts'
import { AppError } from '../../domain/errors.ts'
import { type Connection, isBusy, toAppError } from './database.ts'
import { createWriterSource, type Repositories, type Writer } from './writer.ts'

interface Unit<Tx> {
  readonly work: (tx: Tx) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly queuedAt: number
}

/** What makes of a COMMIT one that nobody can lose. */
export interface Durability {
  /** Called before each COMMIT: what it writes is to be seen by nobody until what this answers is called. */
  hide(): () => void
  /** Resolves when what was committed is on the disk, and never if it may not be. */
  sync(): Promise<void>
  /** Called between commits, when nobody waits for this one any more. Never rejects. */
  tidy(): Promise<void>
}

interface Options<Tx> {
  /** Called again when a connection had to be given up. */
  readonly open: () => Connection
  readonly repositories: (writer: Connection) => Repositories<Tx>
  readonly durability: Durability
  /** Called when a commit is on the disk, before the promises of its units run on. */
  readonly afterCommit?: () => void
  readonly metrics?: Pick<Metrics, 'databaseWaited' | 'committed'> | undefined
  /** Milliseconds a unit waits for a lock held by another process. */
  readonly lockTimeout?: number
}

export interface GroupCommit<Tx> {
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Runs what is queued, then closes the connection; what has not begun after `timeout` milliseconds is rejected. */
  close(timeout: number): Promise<void>
}

const BATCH = 512
const QUEUE = 20_000
const LOCK_RETRY_MS = 10

const unavailable = (message: string) => new AppError('unavailable', message, { retryAfter: 1 })

class Strayed extends Error {
  constructor() {
    super('a unit of work waited for something other than its transaction')
  }
}

/**
 * One writer, one COMMIT for all units that wait at that moment: a disk sync costs the same for one row as for hundreds.
 * Each unit runs in its own SAVEPOINT, so one that throws rolls back alone; every promise settles when the COMMIT is on
 * the disk. Until then others queue, and nobody sees what it wrote.
 */
export const createGroupCommit = <Tx>({
  open,
  repositories,
  durability,
  afterCommit,
  metrics,
  lockTimeout = 5_000,
}: Options<Tx>): GroupCommit<Tx> => {
  const insideUnit = new AsyncLocalStorage<true>()
  const source = createWriterSource(open, repositories)
  let queue: Unit<Tx>[] = []
  let running = false
  let closing: { readonly at: number; readonly done: () => void } | null = null

  const rejectOverdue = (error: unknown) => {
    const now = performance.now()
    const patience = isBusy(error) && (closing === null || now < closing.at) ? lockTimeout : 0
    const failure = toAppError(error)
    for (const unit of queue) if (unit.queuedAt <= now - patience) unit.reject(failure)
    queue = queue.filter((unit) => unit.queuedAt > now - patience)
  }

  /** The writer inside a new transaction; null when there is none to be had now. */
  const begin = (): Writer<Tx> | null => {
    try {
      const writer = source.current()
      writer.begin()
      return writer
    } catch (error) {
      rejectOverdue(error)
      return null
    }
  }

  const runUnit = async (writer: Writer<Tx>, unit: Unit<Tx>, strayed: Promise<never>): Promise<() => void> => {
    writer.save()
    try {
      const value = await Promise.race([insideUnit.run(true, () => unit.work(writer.tx)), strayed])
      writer.keep()
      return () => unit.resolve(value)
    } catch (error) {
      if (error instanceof Strayed) throw error
      const failure = toAppError(error)
      // A full disk or an I/O error makes SQLite roll the whole transaction back.
      if (!writer.inTransaction) throw failure
      writer.undo()
      writer.keep()
      return () => unit.reject(failure)
    }
  }

  const measure = (batch: readonly Unit<Tx>[], begunAt: number): void => {
    if (metrics === undefined) return
    for (const { queuedAt } of batch) metrics.databaseWaited('writer', begunAt - queuedAt)
    metrics.committed(batch.length, performance.now() - begunAt)
  }

  const commitDurably = async (writer: Writer<Tx>): Promise<void> => {
    const show = durability.hide()
    try {
      if (writer.commit()) await durability.sync()
    } finally {
      show()
    }
  }

  const commit = async (writer: Writer<Tx>, batch: readonly Unit<Tx>[]): Promise<void> => {
    const { promise: strayed, reject: stray } = Promise.withResolvers<never>()
    strayed.catch(() => {})
    // Units await nothing but SQLite, which answers at once: whoever still waits at the next turn waits for more.
    const watch = setImmediate(() => stray(new Strayed()))
    const settle: (() => void)[] = []
    const begunAt = performance.now()
    try {
      for (const unit of batch) settle.push(await runUnit(writer, unit, strayed))
      clearImmediate(watch)
      await commitDurably(writer)
      for (const done of settle) done()
      afterCommit?.()
      measure(batch, begunAt)
    } catch (error) {
      if (error instanceof Strayed) {
        // It may still hold the transaction's repositories: the connection goes, and its neighbours run again.
        source.giveUp()
        batch[settle.length]?.reject(error)
        queue = batch.filter((_, index) => index !== settle.length).concat(queue)
        return
      }
      source.abandon()
      const failure = toAppError(error)
      for (const unit of batch) unit.reject(failure)
    } finally {
      clearImmediate(watch)
    }
  }

  const flush = async () => {
    const writer = queue.length > 0 ? begin() : null
    try {
      if (writer !== null) {
        await commit(writer, queue.splice(0, BATCH))
        await durability.tidy()
      }
    } finally {
      running = false
      if (queue.length > 0) schedule(writer === null ? LOCK_RETRY_MS : 0)
      else closing?.done()
    }
  }

  const schedule = (delay: number) => {
    if (running) return
    running = true
    if (delay === 0) setImmediate(flush)
    else setTimeout(flush, delay)
  }

  return {
    write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      if (insideUnit.getStore()) return Promise.reject(new Error('write called inside a unit of work'))
      if (closing) return Promise.reject(unavailable('The server is stopping'))
      if (queue.length >= QUEUE) return Promise.reject(unavailable('Too many writes are waiting'))
      return new Promise<T>((resolve, reject) => {
        const settle = resolve as (value: unknown) => void
        queue.push({ work, resolve: settle, reject, queuedAt: performance.now() })
        schedule(0)
      })
    },

    async close(timeout) {
      await new Promise<void>((done) => {
        closing = { at: performance.now() + timeout, done }
        if (!running) done()
      })
      source.close()
    },
  }
}
