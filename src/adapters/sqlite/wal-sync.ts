import { Worker } from 'node:worker_threads'
import type { Connection } from './database.ts'
import type { ReadSnapshot } from './read-snapshot.ts'

/** SQLite's write-ahead log; what waits for the disk is done on a thread of its own, one task at a time. */
export interface Wal {
  /** Begins the thread, so that the first sync needs nothing that may be lacking by then, such as a file descriptor. */
  begin(): void
  /** Resolves when everything committed before is on the disk; rejects when it may not be. */
  sync(): Promise<void>
  /** Moves what no reader needs from the log into the database file. */
  checkpoint(): Promise<void>
  /** To be called when nothing is under way. */
  close(): Promise<void>
}

export type WalTask = 'sync' | 'checkpoint' | 'close'

/** What went wrong, or null. */
export type WalAnswer = Error | null

const startThread = (path: string) => {
  const worker = new Worker(new URL('./wal-worker.ts', import.meta.url), { workerData: path })
  let waiting: PromiseWithResolvers<void> | null = null
  let ended: Error | null = null

  const settle = (answer: WalAnswer) => {
    const asked = waiting
    waiting = null
    if (answer === null) asked?.resolve()
    else asked?.reject(answer)
  }
  // What runs on from here must not run inside the message: no other would come before that has ended.
  worker.on('message', (answer: WalAnswer) => setImmediate(settle, answer))
  worker.on('error', (error: Error) => {
    ended = error
    settle(error)
  })

  return {
    ask(task: WalTask): Promise<void> {
      if (ended !== null) return Promise.reject(ended)
      waiting = Promise.withResolvers()
      worker.postMessage(task)
      return waiting.promise
    },
    end: () => worker.terminate(),
  }
}

/**
 * Of a database whose journal mode is WAL; `path` is that of the file itself, not of a link to it. Without `begin` the
 * thread begins with the first task.
 */
export const openWal = (path: string): Wal => {
  let thread: ReturnType<typeof startThread> | null = null
  const begun = () => {
    thread ??= startThread(path)
    return thread
  }
  return {
    begin: () => void begun(),
    sync: () => begun().ask('sync'),
    checkpoint: () => begun().ask('checkpoint'),
    async close() {
      const last = thread
      thread = null
      await last?.ask('close')
      await last?.end()
    },
  }
}

/** Does what a writer leaves undone that neither syncs its commits nor moves the log into the database file. */
export interface WalSync {
  /** Resolves when what was committed is on the disk, and never if it may not be. */
  sync(): Promise<void>
  /** Moves the log into the database file when it has grown enough. To be called between commits. Never rejects. */
  checkpoint(): Promise<void>
}

interface Options {
  readonly wal: Wal
  /** The size of the log. */
  readonly reader: Connection
  readonly snapshot: ReadSnapshot
  /** Called when what was committed may not be on the disk, and cannot be taken back. */
  readonly onLost: (error: Error) => void
}

/** As SQLite does by itself. */
const CHECKPOINT_AFTER_PAGES = 1_000

const never = new Promise<never>(() => {})

export const createWalSync = ({ wal, reader, snapshot, onLost }: Options): WalSync => {
  // Moves nothing: `log` is how many pages the log holds.
  const size = reader.prepare<{ readonly log: number }, []>('PRAGMA wal_checkpoint(NOOP)')
  /** Pages in the log at the last checkpoint: a reader that stood in its way needs time. */
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
    async checkpoint() {
      // Inside a transaction the reader cannot see how large the log is.
      snapshot.end()
      try {
        if (!hasGrown()) return
        await wal.checkpoint()
      } catch {
        // As with SQLite's own: the log goes on, and it is tried again when there is more.
      }
      // A reader of the log keeps it from beginning anew.
      snapshot.end()
    },
  }
}
