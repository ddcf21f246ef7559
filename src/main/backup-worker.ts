import { parentPort, workerData } from 'node:worker_threads'
import { archivesAt } from './choices.ts'
import { verifyBackup, warnings, writeBackup } from './archiving.ts'
import type { BackupAnswer, BackupTask } from './backup-runner.ts'

const { kind, settings, name, secret }: BackupTask = workerData

const stopping = new AbortController()
parentPort?.on('message', () => stopping.abort(new Error('interrupted')))

const perform = async (): Promise<BackupAnswer> => {
  const { signal } = stopping
  try {
    if (kind === 'write') return { result: await writeBackup(settings, name, secret, signal) }
    const { BACKUP_KEY: key, DATA_DIR: parent } = settings
    return { result: await verifyBackup(archivesAt(settings, warnings()), { name, key, parent }, signal) }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

void perform().then((answer) => parentPort?.postMessage(answer))
