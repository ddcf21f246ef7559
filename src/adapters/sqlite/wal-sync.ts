import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import type { Connection } from './database.ts'
import type { ReadSnapshot } from './read-snapshot.ts'
import type { WritersLock } from './writers-lock.ts'

/**
 * SQLite's write-ahead log. Disk operations run on a separate thread, one task at a time; but until that thread is
 * needed, syncs block this one.
 */
export interface Wal {
  /** From now on nothing blocks this thread. Starts the other before resources such as file descriptors may be exhausted. */
  begin(): void
  /** Resolves when everything committed before is on the disk; rejects when it may not be. */
  sync(): Promise<void>
  /** Moves pages that no reader needs from the log into the database file. */
  checkpoint(): Promise<void>
  /** The same, and waits a moment for other readers of the log, so that it can restart. */
  restart(): Promise<void>
  /** Call it when no task is running. */
  close(): Promise<void>
}

/** A number is the descriptor of the log to sync. */
export type WalTask = number | 'checkpoint' | 'restart' | 'close'

/** The error, or null. */
export type WalAnswer = Error | null

const startThread = (path: string) => {
  // Unlike that of node:worker_threads, this worker needs no streams, which take a while to load.
  const worker = new Worker(new URL('./wal-worker.ts', import.meta.url), { argv: [path], smol: true })
  let waiting: PromiseWithResolvers<void> | null = null
  let ended: Error | null = null
  const closed = Promise.withResolvers<void>()

  const settle = (answer: WalAnswer) => {
    const asked = waiting
    waiting = null
    if (answer === null) asked?.resolve()
    else asked?.reject(answer)
  }
  // The continuation must not run inside the message handler, which would block further messages.
  worker.onmessage = ({ data }: MessageEvent<WalAnswer>) => setImmediate(settle, data)
  worker.onerror = ({ message }) => {
    ended = new Error(message)
    settle(ended)
  }
  worker.addEventListener('close', () => closed.resolve(), { once: true })

  return {
    ask(task: WalTask): Promise<void> {
      if (ended !== null) return Promise.reject(ended)
      waiting = Promise.withResolvers()
      worker.postMessage(task)
      return waiting.promise
    },
    end(): Promise<void> {
      worker.terminate()
      return closed.promise
    },
  }
}

/** The descriptors of a thread stay open when it is ended from outside, so one thread opens the log for all. */
const createLog = (path: string, lock: WritersLock | undefined) => {
  let own: number | null = null
  return {
    descriptor(): number {
      const known = own ?? lock?.log() ?? null
      if (known !== null) return known
      own = openSync(`${path}-wal`, 'r+')
      lock?.shareLog(own)
      return own
    },
    close() {
      if (own === null) return
      lock?.shareLog(null)
      closeSync(own)
      own = null
    },
  }
}

/**
 * For a database in WAL mode; `path` is the file itself, not a symbolic link. Without `begin`, the thread starts with
 * the first checkpoint, and syncs block this one: to start another takes longer than all commits of a start.
 * `lock` is that of the threads that have the database open: the one that syncs first must close last.
 */
export const openWal = (path: string, lock?: WritersLock): Wal => {
  const log = createLog(path, lock)
  let thread: ReturnType<typeof startThread> | null = null
  const begun = () => {
    thread ??= startThread(path)
    return thread
  }
  return {
    begin() {
      begun()
      try {
        log.descriptor()
      } catch {
        // The first sync retries and reports the error.
      }
    },
    sync: async () => (thread === null ? fdatasyncSync(log.descriptor()) : thread.ask(log.descriptor())),
    checkpoint: () => begun().ask('checkpoint'),
    restart: () => begun().ask('restart'),
    async close() {
      const last = thread
      thread = null
      await last?.ask('close')
      await last?.end()
      log.close()
    },
  }
}

/** Does the syncs and checkpoints for a writer that does neither. */
export interface WalSync {
  /** Resolves when what was committed is on the disk, and never if it may not be. */
  sync(): Promise<void>
  /** Whether the log has grown enough to be moved into the database file. Call it between commits, and between reads. */
  isCheckpointDue(): boolean
  /** Moves the log into the database file. Call it between commits. Never rejects. */
  checkpoint(): Promise<void>
}

interface Options {
  readonly wal: Wal
  /** Used to read the size of the log. */
  readonly reader: Connection
  readonly snapshot: ReadSnapshot
  /** Called when committed data may not be on the disk and cannot be rolled back. */
  readonly onLost: (error: Error) => void
}

/** SQLite's own default. */
const CHECKPOINT_AFTER_PAGES = 1_000
/** A log that other threads read restarts only by chance, and not at all if they always read. */
const RESTART_AFTER_PAGES = 4 * CHECKPOINT_AFTER_PAGES

const never = new Promise<never>(() => {})

export const createWalSync = ({ wal, reader, snapshot, onLost }: Options): WalSync => {
  // Moves nothing: `log` is the number of pages in the log.
  const size = reader.prepare<{ readonly log: number }, []>('PRAGMA wal_checkpoint(NOOP)')
  /** Pages in the log at the last checkpoint, because a reader that blocked it needs time. */
  let checkpointedAt = 0

  const hasGrown = (): boolean => {
    const { log } = size.get() ?? { log: 0 }
    if (log < checkpointedAt) checkpointedAt = 0
    if (log - checkpointedAt < CHECKPOINT_AFTER_PAGES) return false
    checkpointedAt = log
    return true
  }

  return {
    sync: () =>
      wal.sync().catch((error) => {
        onLost(new Error('what was committed may not be on the disk', { cause: error }))
        return never
      }),
    isCheckpointDue() {
      // Inside a transaction the reader cannot get the size of the log.
      snapshot.end()
      try {
        return hasGrown()
      } catch {
        return false
      }
    },
    async checkpoint() {
      try {
        if (checkpointedAt < RESTART_AFTER_PAGES) await wal.checkpoint()
        else await wal.restart()
      } catch {
        // As with SQLite's own checkpoints: the log keeps growing, and the checkpoint is retried later.
      }
      // A reader of the log prevents it from restarting.
      snapshot.end()
    },
  }
}
