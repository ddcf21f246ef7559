import { openStoreOf } from '../stack.ts'
import { until } from '../until.ts'
import type { AuditWalk, Steps } from './walk.ts'

const jobInQueue = async ({ skep, prepare, admin }: AuditWalk): Promise<number> => {
  const store = await openStoreOf(skep.dataDir)
  await store.write((tx) =>
    tx.jobs.enqueue({ kind: 'clean-up', payload: {}, now: Date.now(), runAt: Date.now() + 3_600_000 }),
  )
  await store.close()
  const { body } = await prepare('GET', '/admin/jobs?state=queued', { token: admin() })
  const [job] = body.items as readonly { readonly id: number }[]
  return job?.id ?? 0
}

/** The path of the newest backup, once it is made. */
const newestBackup = async ({ prepare, admin }: AuditWalk): Promise<string> => {
  const newest = async () => {
    const { body } = await prepare('GET', '/admin/backups', { token: admin() })
    const [first] = body.items as readonly { readonly id: number; readonly state: string }[]
    return first
  }
  await until(async () => (await newest())?.state === 'done')
  return `/admin/backups/${(await newest())?.id}`
}

/** Jobs and backups. */
export const operationSteps = (walk: AuditWalk): Steps => {
  const { send, admin } = walk
  return {
    retryJob: {
      action: 'job.retried',
      run: async (id) => send(id, 'POST', `/admin/jobs/${await jobInQueue(walk)}/retry`, { token: admin() }),
    },
    createBackup: {
      action: 'backup.created',
      run: (id) => send(id, 'POST', '/admin/backups', { token: admin() }),
    },
    createBackupLink: {
      action: 'link.created',
      run: async (id) =>
        send(id, 'POST', `${await newestBackup(walk)}/links`, { token: admin(), json: { expires_in: 60 } }),
    },
    verifyBackup: {
      action: 'backup.verified',
      run: async (id) => send(id, 'POST', `${await newestBackup(walk)}/verify`, { token: admin() }),
    },
    deleteBackup: {
      action: 'backup.deleted',
      run: async (id) => send(id, 'DELETE', await newestBackup(walk), { token: admin() }),
    },
    deleteJob: {
      action: 'job.deleted',
      run: async (id) => send(id, 'DELETE', `/admin/jobs/${await jobInQueue(walk)}`, { token: admin() }),
    },
  }
}
