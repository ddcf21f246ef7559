import { AppError, notFound } from '../domain/errors.ts'
import type { Job } from '../domain/job.ts'
import type { Page } from '../domain/page.ts'
import type { Caller, Principal } from '../domain/session.ts'
import { requireActiveActor, requireAdmin } from './access.ts'
import { audit } from './audit.ts'
import type { JobQuery, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** What admins may do with the queue. Every method throws `forbidden` for other users. */
export interface Jobs {
  list(actor: Principal, query: JobQuery): Promise<Page<Job>>
  /** Runs a waiting or dead job now. Throws `not_found`, `job_running`, `job_done`. */
  retry(actor: Caller, id: number): Promise<Job>
  /** Throws `not_found`, `job_running`. */
  remove(actor: Caller, id: number): Promise<void>
}

export const createJobs = ({ unitOfWork, clock }: { unitOfWork: UnitOfWork; clock: Clock }): Jobs => {
  const refuse = (job: Job | null): never => {
    if (job === null) throw notFound('Job')
    if (job.state === 'done') throw new AppError('job_done', 'The job is done')
    throw new AppError('job_running', 'The job is running')
  }
  return {
    async list(actor, query) {
      requireAdmin(actor)
      return unitOfWork.read((tx) => tx.jobs.list(query))
    },
    async retry(actor, id) {
      return unitOfWork.write(async (tx) => {
        const now = clock.now()
        const current = await requireActiveActor(tx, actor, now)
        requireAdmin(current)
        const retried = await tx.jobs.retry(id, now)
        const job = await tx.jobs.findById(id)
        if (!retried || job === null) return refuse(job)
        await audit(tx, current, 'job.retried', { subject: `jobs/${id}`, details: { kind: job.kind }, now })
        return job
      })
    },
    async remove(actor, id) {
      await unitOfWork.write(async (tx) => {
        const now = clock.now()
        const current = await requireActiveActor(tx, actor, now)
        requireAdmin(current)
        const job = await tx.jobs.findById(id)
        if (job === null || !(await tx.jobs.delete(id))) return refuse(await tx.jobs.findById(id))
        await audit(tx, current, 'job.deleted', { subject: `jobs/${id}`, details: { kind: job.kind }, now })
      })
    },
  }
}
