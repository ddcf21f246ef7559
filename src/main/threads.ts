import { Worker } from 'node:worker_threads'
import type { Settings, ShownSetting } from '../adapters/env/settings.ts'
import { createMemorySocketSlots } from '../adapters/memory/socket-slots.ts'
import { createThreadTotals } from '../adapters/prometheus/thread-totals.ts'
import { createLockMemory, openWritersLock, type WritersLock } from '../adapters/sqlite/writers-lock.ts'
import { createHub, type Hub } from '../adapters/threads/hub.ts'
import type { Message } from '../adapters/threads/peer.ts'
import { createLimitMemory, type LimitMemory } from '../adapters/threads/rate-limiter.ts'
import type { Clock } from '../application/ports/system.ts'
import type { Foundation, Secrets, StartOptions, ThreadPart } from './foundation.ts'

/** What a thread that serves is started with. */
export interface ThreadStart {
  readonly settings: Settings
  readonly shownSettings: readonly ShownSetting[]
  readonly secrets: Secrets
  /** Its number, from 1 on. The main thread is 0. */
  readonly thread: number
  readonly lockMemory: SharedArrayBuffer
  readonly limitMemory: LimitMemory
}

export type ToThread =
  | { readonly kind: 'bus'; readonly message: Message }
  | { readonly kind: 'stop'; readonly timeoutMs: number }

/** Where a thread listens. */
export interface Listening {
  readonly port: number
  readonly url: string
  readonly publicUrl: string
}

export type FromThread =
  | { readonly kind: 'bus'; readonly message: Message }
  | { readonly kind: 'listening'; readonly listening: Listening }
  | { readonly kind: 'failed'; readonly reason: string }

/** What the main thread shares with those that serve. */
export interface SharedParts {
  readonly part: ThreadPart
  readonly lock: WritersLock
  readonly lockMemory: SharedArrayBuffer
  readonly limitMemory: LimitMemory
  readonly hub: () => Hub
}

/** For `count` threads that serve. */
export const shareParts = (count: number, clock: Clock): SharedParts => {
  const lockMemory = createLockMemory(1 + count)
  const lock = openWritersLock(lockMemory, 0)
  const limitMemory = createLimitMemory()
  let hub: Hub | null = null
  return {
    lock,
    lockMemory,
    limitMemory,
    part: {
      lock,
      openBus(ownSamples) {
        const shared = { slots: createMemorySocketSlots(), totals: createThreadTotals() }
        hub = createHub({ memory: limitMemory, clock, ...shared, ownSamples })
        return hub.bus
      },
    },
    hub() {
      if (hub === null) throw new Error('the bus is not open')
      return hub
    },
  }
}

/** After a start that failed. One that succeeds is not delayed. */
const RETRY_MS = 500
/** Time in which another thread, that did not know yet, may have given the lock to one that has ended. */
const HAND_OVER_MS = 20

interface RunningThread {
  /** Rejects if it ends before it listens. */
  readonly listening: Promise<Listening>
  readonly ended: Promise<void>
  stop(timeoutMs: number): void
  kill(): void
}

const runThread = (start: ThreadStart, { hub }: SharedParts, { log }: Pick<Foundation, 'log'>): RunningThread => {
  const listening = Promise.withResolvers<Listening>()
  const ended = Promise.withResolvers<void>()
  listening.promise.catch(() => {})
  const worker = new Worker(new URL('./serving-thread.ts', import.meta.url), { workerData: start })
  const post = (message: ToThread) => worker.postMessage(message)
  let reason = 'it ended before it listened'
  let receive: (message: Message) => void = () => {}
  worker.on('message', (message: FromThread) => {
    if (message.kind === 'bus') receive(message.message)
    else if (message.kind === 'listening') listening.resolve(message.listening)
    else reason = message.reason
  })
  const leave = hub().join({
    post: (message) => post({ kind: 'bus', message }),
    listen(listener) {
      receive = listener
    },
  })
  worker.on('error', (error) => log.error('a thread failed', { thread: start.thread, error }))
  worker.on('exit', () => {
    leave()
    listening.reject(new Error(reason))
    ended.resolve()
  })
  return {
    listening: listening.promise,
    ended: ended.promise,
    stop: (timeoutMs) => post({ kind: 'stop', timeoutMs }),
    kill: () => void worker.terminate(),
  }
}

/** The threads that serve. A thread that ends is replaced. */
export interface ServingThreads extends Listening {
  stop(timeoutMs: number): Promise<void>
  /** Ends a thread wherever it is, as a failure would. */
  kill(thread: number): void
}

/** Ends the process: the next start uses what is on the disk. */
const crash = (): void => {
  setImmediate(() => {
    throw new Error('what a thread has committed may not be on the disk')
  })
}

/** Starts `settings.WORKERS` threads. Rejects if one of them cannot serve. */
export const startServingThreads = async (
  foundation: Foundation,
  { shownSettings = [] }: Pick<StartOptions, 'shownSettings'>,
  shared: SharedParts,
): Promise<ServingThreads> => {
  const { settings, log, store, secret, previous } = foundation
  // Functions cannot be copied. Only the main thread sends mail and runs jobs.
  const { MAIL_TEMPLATES: _, BACKUP_SCHEDULE: __, ...copied } = settings
  const running = new Map<number, RunningThread>()
  let isStopping = false

  const run = (thread: number, port: number): Promise<Listening> => {
    const { lockMemory, limitMemory } = shared
    const secrets = { secret, previous }
    const start = { settings: { ...copied, PORT: port }, shownSettings, secrets, thread, lockMemory, limitMemory }
    const one = runThread(start, shared, foundation)
    running.set(thread, one)
    void one.listening.then(({ port: actual }) => one.ended.then(() => replace(thread, actual))).catch(() => {})
    return one.listening
  }

  /** What an ended thread has left must not stop the others. */
  const clearUp = async (thread: number): Promise<boolean> => {
    if (!shared.lock.forget(thread)) return false
    await Bun.sleep(HAND_OVER_MS)
    shared.lock.forget(thread)
    // Whoever writes next syncs what the thread had committed.
    store
      .write(async () => {})
      .catch((error) => {
        if (!isStopping) log.error('the database cannot be written', { error })
      })
    return true
  }

  const replace = async (thread: number, port: number): Promise<void> => {
    if (!isStopping) log.error('a thread has ended', { thread })
    // A stop needs it too: the requests of the others still run.
    if (!(await clearUp(thread))) {
      crash()
      return
    }
    while (!isStopping) {
      try {
        await run(thread, port)
        log.info('the thread was replaced', { thread })
        return
      } catch (error) {
        if (!isStopping) log.error('a thread could not be replaced', { thread, error })
        await clearUp(thread)
        await Bun.sleep(RETRY_MS)
      }
    }
  }

  const stop = async (timeoutMs: number): Promise<void> => {
    isStopping = true
    const all = [...running.values()]
    for (const one of all) one.stop(timeoutMs)
    const deadline = setTimeout(() => {
      for (const one of all) one.kill()
    }, timeoutMs)
    await Promise.all(all.map(({ ended }) => ended))
    clearTimeout(deadline)
  }

  try {
    const first = await run(1, settings.PORT)
    const others = Array.from({ length: settings.WORKERS - 1 }, (_, index) => run(index + 2, first.port))
    await Promise.all(others)
    store.beginServing()
    return { ...first, stop, kill: (thread) => running.get(thread)?.kill() }
  } catch (error) {
    await stop(0)
    throw error
  }
}
