import { AppError, notFound } from '../domain/errors.ts'
import { type Job, type JobKind, type RecurringKind, retryDelay } from '../domain/job.ts'
import type { Page } from '../domain/page.ts'
import type { Principal } from '../domain/session.ts'
import { requireAdmin } from './access.ts'
import type { JobQuery, NewJob, UnitOfWork } from './ports/persistence.ts'
import type { Clock, Log } from './ports/system.ts'

/** What admins may do with the queue. Every call throws `forbidden` for others. */
export interface Jobs {
  list(actor: Principal, query: JobQuery): Promise<Page<Job>>
  /** Runs a waiting or dead job now. Throws `not_found`, `job_running`. */
  retry(actor: Principal, id: number): Promise<Job>
  /** Throws `not_found`, `job_running`. */
  remove(actor: Principal, id: number): Promise<void>
}

export const createJobs = ({ unitOfWork, clock }: { unitOfWork: UnitOfWork; clock: Clock }): Jobs => {
  const refuse = (job: Job | null): never => {
    throw job === null ? notFound('Job') : new AppError('job_running', 'The job is running')
  }
  return {
    async list(actor, query) {
      requireAdmin(actor)
      return unitOfWork.read((tx) => tx.jobs.list(query))
    },
    async retry(actor, id) {
      requireAdmin(actor)
      return unitOfWork.write(async (tx) => {
        const retried = await tx.jobs.retry(id, clock.now())
        const job = await tx.jobs.findById(id)
        return retried && job !== null ? job : refuse(job)
      })
    },
    async remove(actor, id) {
      requireAdmin(actor)
      await unitOfWork.write(async (tx) => {
        if (!(await tx.jobs.delete(id))) refuse(await tx.jobs.findById(id))
      })
    },
  }
}

/** How one kind of job is done. */
export interface JobHandler {
  /** Milliseconds after which an attempt counts as failed, whether it returns or not. */
  readonly deadline: number
  /** May run more than once for one job. `signal` aborts at the deadline and when the server stops. */
  run(job: Job, signal: AbortSignal): Promise<void>
}

export interface RecurringHandler extends JobHandler {
  /** Milliseconds between runs. */
  readonly every: number
}

export type JobHandlers = {
  readonly [Kind in JobKind]: Kind extends RecurringKind ? RecurringHandler : JobHandler
}

export interface JobRunner {
  /** Queues what comes back by itself. To be called once, before work begins. */
  prepare(): Promise<void>
  /** Takes up to `limit` due jobs; nobody else has these attempts. */
  claim(limit: number): Promise<readonly Job[]>
  /** Does one claimed job and notes how it ended. When `stop` aborts, an unfinished one goes back to the queue. */
  run(job: Job, stop: AbortSignal): Promise<void>
}

interface RunnerDeps {
  readonly unitOfWork: UnitOfWork
  readonly handlers: JobHandlers
  readonly clock: Clock
  readonly log: Log
  /** 0 to 1. */
  readonly random: () => number
}

/** Longer than any deadline: a lease that runs out means that its worker is gone. */
const LEASE = 90_000

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 1_000)

const isKnown = (handlers: JobHandlers, kind: string): kind is JobKind => Object.hasOwn(handlers, kind)

const isRecurring = (handlers: JobHandlers, kind: string): kind is RecurringKind =>
  isKnown(handlers, kind) && 'every' in handlers[kind]

/** Runs `work` until it settles, `deadline` passes or `stop` aborts, whichever is first. */
const within = async (
  deadline: number,
  stop: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const late = new AbortController()
  const signal = AbortSignal.any([late.signal, stop])
  const timer = setTimeout(() => late.abort(new Error(`no end within ${deadline} ms`)), deadline)
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  try {
    await Promise.race([work(signal), aborted])
  } finally {
    clearTimeout(timer)
  }
}

export const createJobRunner = ({ unitOfWork, handlers, clock, log, random }: RunnerDeps): JobRunner => {
  /** The next run of a kind that comes back by itself; null for all others. */
  const next = (kind: string): NewJob | null => {
    if (!isRecurring(handlers, kind)) return null
    const now = clock.now()
    return { kind, payload: {}, now, runAt: now + handlers[kind].every, key: kind }
  }

  const finish = (job: Job) =>
    unitOfWork.write(async (tx) => {
      await tx.jobs.complete(job, clock.now())
      const following = next(job.kind)
      if (following !== null) await tx.jobs.enqueue(following)
    })

  const fail = async (job: Job, error: unknown) => {
    const now = clock.now()
    const delay = retryDelay(job.attempts, random())
    const runAt = delay === null ? null : Math.round(now + delay)
    const fields = { job_id: job.id, kind: job.kind, attempts: job.attempts, error }
    if (runAt === null) log.error('job is dead', fields)
    else log.warn('job failed, will be retried', fields)
    await unitOfWork.write(async (tx) => {
      await tx.jobs.fail(job, { now, error: reasonOf(error), runAt })
      const following = runAt === null ? next(job.kind) : null
      if (following !== null) await tx.jobs.enqueue(following)
    })
  }

  return {
    async prepare() {
      await unitOfWork.write(async (tx) => {
        for (const kind of Object.keys(handlers)) {
          const first = next(kind)
          if (first !== null) await tx.jobs.enqueue(first)
        }
      })
    },

    async claim(limit) {
      const now = clock.now()
      if (!(await unitOfWork.read((tx) => tx.jobs.hasDue(now)))) return []
      return unitOfWork.write((tx) => tx.jobs.claim({ now, leaseUntil: now + LEASE, limit }))
    },

    async run(job, stop) {
      try {
        // A job that ends its process each time never gets to fail.
        if (retryDelay(job.attempts - 1, 0) === null) throw new Error('started too often without an end')
        if (!isKnown(handlers, job.kind)) throw new Error(`no handler for ${job.kind}`)
        const handler = handlers[job.kind]
        await within(handler.deadline, stop, async (signal) => handler.run(job, signal))
        await finish(job)
        log.debug('job done', { job_id: job.id, kind: job.kind, attempts: job.attempts })
      } catch (error) {
        if (stop.aborted) await unitOfWork.write((tx) => tx.jobs.release(job, clock.now()))
        else await fail(job, error)
      }
    },
  }
}
