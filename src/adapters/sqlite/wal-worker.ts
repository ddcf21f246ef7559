import { Database } from 'bun:sqlite'
import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import type { WalAnswer, WalTask } from './wal-sync.ts'

declare const self: Worker

const [path = ''] = Bun.argv.slice(2)

/** The longest wait for readers. No thread writes during it; readers usually take a new snapshot much sooner. */
const RESTART_TIMEOUT_MS = 50

let log: number | null = null
let database: Database | null = null

const openLog = (): number => {
  log ??= openSync(`${path}-wal`, 'r+')
  return log
}

const openDatabase = (): Database => {
  database ??= new Database(path, { create: false, readwrite: true })
  return database
}

const TASKS: Readonly<Record<WalTask, () => void>> = {
  sync: () => fdatasyncSync(openLog()),
  checkpoint: () => openDatabase().run('PRAGMA wal_checkpoint(PASSIVE)'),
  restart() {
    openDatabase().run(`PRAGMA busy_timeout = ${RESTART_TIMEOUT_MS}`)
    openDatabase().run('PRAGMA wal_checkpoint(RESTART)')
  },
  close() {
    if (log !== null) closeSync(log)
    database?.close(true)
  },
}

const perform = (task: WalTask): WalAnswer => {
  try {
    TASKS[task]()
    return null
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

try {
  openLog()
} catch {
  // The first sync retries and reports the error.
}

self.onmessage = ({ data }: MessageEvent<WalTask>) => self.postMessage(perform(data))
