import { Worker } from 'node:worker_threads'

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
  const ask = (task: WalTask): Promise<void> => begun().ask(task)
  return {
    begin: () => void begun(),
    sync: () => ask('sync'),
    checkpoint: () => ask('checkpoint'),
    async close() {
      const last = thread
      thread = null
      if (last === null) return
      await last.ask('close')
      await last.end()
    },
  }
}
