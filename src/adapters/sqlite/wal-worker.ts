import { Database } from 'bun:sqlite'
import { fdatasyncSync } from 'node:fs'
import type { WalAnswer, WalTask } from './wal-sync.ts'

declare const self: Worker

const [path = ''] = Bun.argv.slice(2)

/** The longest wait for readers. No thread writes during it; readers usually take a new snapshot much sooner. */
const RESTART_TIMEOUT_MS = 50

let database: Database | null = null

const openDatabase = (): Database => {
  database ??= new Database(path, { create: false, readwrite: true })
  return database
}

const TASKS: Readonly<Record<Exclude<WalTask, number>, () => void>> = {
  checkpoint: () => openDatabase().run('PRAGMA wal_checkpoint(PASSIVE)'),
  restart() {
    openDatabase().run(`PRAGMA busy_timeout = ${RESTART_TIMEOUT_MS}`)
    openDatabase().run('PRAGMA wal_checkpoint(RESTART)')
  },
  close: () => database?.close(true),
}

const perform = (task: WalTask): WalAnswer => {
  try {
    if (typeof task === 'number') fdatasyncSync(task)
    else TASKS[task]()
    return null
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

self.onmessage = ({ data }: MessageEvent<WalTask>) => self.postMessage(perform(data))
