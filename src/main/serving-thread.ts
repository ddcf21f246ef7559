// Must come first, because Elysia reads it when it is loaded.
import './production-mode.ts'

import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../adapters/bun/clock.ts'
import { createClosers } from '../adapters/bun/closers.ts'
import { logCrashes } from '../adapters/cli/lifecycle.ts'
import { createConsoleLog } from '../adapters/console/log.ts'
import { writeLines } from '../adapters/console/streams.ts'
import { openWritersLock } from '../adapters/sqlite/writers-lock.ts'
import { openThreadBus } from '../adapters/threads/bus.ts'
import type { Message, Port } from '../adapters/threads/peer.ts'
import { openFoundation, type ThreadPart } from './foundation.ts'
import { serveApi } from './serving.ts'
import type { FromThread, ThreadStart, ToThread } from './threads.ts'

const { settings, shownSettings, secrets, thread, lockMemory, limitMemory }: ThreadStart = workerData
const log = createConsoleLog({ level: settings.LOG_LEVEL, format: settings.LOG_FORMAT, write: writeLines })
logCrashes(log)

const closers = createClosers()
let stopping = false
let receive: (message: Message) => void = () => {}
const post = (message: FromThread) => parentPort?.postMessage(message)
const port: Port = {
  post: (message) => post({ kind: 'bus', message }),
  listen(listener) {
    receive = listener
  },
}

const stop = async (timeoutMs: number): Promise<void> => {
  stopping = true
  await closers.closeAll(timeoutMs)
  log.flush()
  process.exit(0)
}

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'bus') receive(message.message)
  else void stop(message.timeoutMs)
})

const part: ThreadPart = {
  secrets,
  lock: openWritersLock(lockMemory, thread),
  openBus: (ownSamples) => openThreadBus({ port, memory: limitMemory, clock: systemClock, ownSamples }),
}
try {
  const options = { settings, shownSettings, log }
  const foundation = await openFoundation(options, closers, part)
  const { server, sockets, publicUrl } = await serveApi(foundation, options, closers, async () => {
    if (stopping) throw new Error('stopping')
  })
  // What is left of the time is for the database.
  closers.add((left) => Promise.all([sockets.stop(), server.stop(left * 0.8)]))
  post({ kind: 'listening', listening: { port: server.port, url: server.url, publicUrl } })
} catch (error) {
  post({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) })
  log.flush()
  await closers.closeAll(settings.SHUTDOWN_TIMEOUT)
  process.exit(1)
}
