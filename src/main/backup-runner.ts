import { Worker } from 'node:worker_threads'
import type { S3KeySettings, Settings } from '../adapters/env/settings.ts'
import type { BackupRunner, WrittenArchive } from '../application/ports/backups.ts'

/** What the thread needs. It can be sent to a thread. */
export interface BackupSettings
  extends Pick<Settings, 'DATA_DIR' | 'DATABASE_URL' | 'FILES_URL' | 'BACKUP_URL'>,
    S3KeySettings {
  readonly BACKUP_KEY?: string | undefined
}

export const backupSettings = (settings: BackupSettings): BackupSettings => ({
  DATA_DIR: settings.DATA_DIR,
  DATABASE_URL: settings.DATABASE_URL,
  FILES_URL: settings.FILES_URL,
  BACKUP_URL: settings.BACKUP_URL,
  BACKUP_KEY: settings.BACKUP_KEY,
  AWS_ACCESS_KEY_ID: settings.AWS_ACCESS_KEY_ID,
  AWS_SECRET_ACCESS_KEY: settings.AWS_SECRET_ACCESS_KEY,
  AWS_SESSION_TOKEN: settings.AWS_SESSION_TOKEN,
})

/** A task of the thread, which ends with its answer. */
export interface BackupTask {
  readonly kind: 'write' | 'verify'
  readonly settings: BackupSettings
  /** Of the archive. */
  readonly name: string
  /** The signing secret. */
  readonly secret: string
}

export type WriteResult = WrittenArchive & { readonly detail: string | null }

export type BackupAnswer = { readonly result: WriteResult | string } | { readonly failure: string }

/** How long the thread may take to remove what it has begun. */
const MAX_ABORT_MS = 5_000

const run = async (task: BackupTask, signal: AbortSignal): Promise<WriteResult | string> => {
  signal.throwIfAborted()
  // Bun's smaller heap, of which @types/node does not know.
  const options = { workerData: task, smol: true }
  const worker = new Worker(new URL('./backup-worker.ts', import.meta.url), options)
  const { promise, resolve, reject } = Promise.withResolvers<WriteResult | string>()
  worker.on('message', (answer: BackupAnswer) => {
    if ('failure' in answer) reject(new Error(answer.failure))
    else resolve(answer.result)
  })
  worker.on('error', reject)
  worker.on('exit', () => reject(new Error('the thread ended')))
  let timer: NodeJS.Timeout | undefined
  const abort = () => {
    worker.postMessage('abort')
    timer = setTimeout(() => reject(signal.reason), MAX_ABORT_MS)
  }
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await promise
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    await worker.terminate()
  }
}

/** Works in a thread of its own for each task, so that the event loop is never blocked. */
export const createBackupRunner = (base: Pick<BackupTask, 'settings' | 'secret'>): BackupRunner => ({
  encrypts: base.settings.BACKUP_KEY !== undefined,
  async write(name, signal) {
    const result = await run({ ...base, kind: 'write', name }, signal)
    if (typeof result === 'string') throw new Error(result)
    return result
  },
  async verify(name, signal) {
    return String(await run({ ...base, kind: 'verify', name }, signal))
  },
})
