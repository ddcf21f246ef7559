import { AppError } from '../domain/errors.ts'
import { type JobEventName, jobEvent } from '../domain/event.ts'
import { type Job, type JobKind, RECURRING_KINDS, retryDelay } from '../domain/job.ts'
import type { Instant } from '../domain/user.ts'
import { PermanentFailure } from './ports/messaging.ts'
import type { NewJob, Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, Log } from './ports/system.ts'

/** The handler of one kind of job. */
export interface JobHandler {
  /** Milliseconds after which an attempt counts as failed, whether it returns or not. */
  readonly deadlineMs: number
  /** Milliseconds between runs of a recurring kind. */
  readonly everyMs?: number
  /** The next run of a kind with a schedule; null for never. */
  readonly next?: (now: Instant) => NewJob | null
  /**
   * May run more than once for one job. `signal` aborts at the deadline and when the server stops. Writes passed to
   * `onCompletion` run in the transaction that records the end of the job. A {@link PermanentFailure} is not retried.
   */
  run(job: Job, signal: AbortSignal, onCompletion: (write: CompletionWrite) => void): Promise<void>
}

/** Writes that belong to the transaction that ends a job. */
export type CompletionWrite = (tx: Tx) => Promise<void>

export type JobHandlers = Readonly<Record<JobKind, JobHandler>>

export interface JobRunner {
  /** Queues recurring jobs that are not queued yet. Call it before work begins, and regularly. */
  prepare(): Promise<void>
  /** Claims up to `limit` due jobs; no other worker has these attempts. */
  claim(limit: number): Promise<readonly Job[]>
  /** Runs one claimed job and records how it ended. When `stop` aborts, an unfinished job returns to the queue. */
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

/** Renewed while the job runs, so an expired lease means that its worker is gone. */
const LEASE_MS = 15_000
const RENEW_EVERY_MS = LEASE_MS / 3

/** Short enough that a shutdown has time to return unfinished jobs to the queue. */
const RETRY_WRITE_MS = 200

/** Whether a failed write of a job's result may succeed when retried. */
const isTransient = (error: unknown): boolean =>
  error instanceof AppError && (error.code === 'unavailable' || error.code === 'storage_full')

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 1_000).replaceAll('\0', '\ufffd')

const isKnown = (handlers: JobHandlers, kind: string): kind is JobKind => Object.hasOwn(handlers, kind)

/** Runs `work` until it settles, `deadlineMs` pass or `stop` aborts, whichever is first. */
const withDeadline = async (
  deadlineMs: number,
  stop: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const ending = new AbortController()
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const end = (reason: unknown) => {
    ending.abort(reason)
    reject(reason)
  }
  // The listener is removed explicitly: `stop` lives as long as the process, and would retain every signal that
  // `AbortSignal.any` derives from it.
  const stopped = () => end(stop.reason)
  const timer = setTimeout(() => end(new Error(`no end within ${deadlineMs} ms`)), deadlineMs)
  stop.addEventListener('abort', stopped, { once: true })
  if (stop.aborted) stopped()
  try {
    await Promise.race([work(ending.signal), ended])
  } finally {
    clearTimeout(timer)
    stop.removeEventListener('abort', stopped)
  }
}

/** Records how jobs end, and queues the next run of those that recur. */
const createResults = (unitOfWork: UnitOfWork, handlers: JobHandlers, clock: Clock) => {
  /** The next run of a recurring kind; null for all others. */
  const next = (name: string): NewJob | null => {
    if (isKnown(handlers, name) && handlers[name].next !== undefined) return handlers[name].next(clock.now())
    const kind = RECURRING_KINDS.find((recurring) => recurring === name)
    const every = kind === undefined ? undefined : handlers[kind].everyMs
    if (kind === undefined || every === undefined) return null
    const now = clock.now()
    return { kind, payload: {}, now, runAt: now + every, key: kind }
  }

  const record = async (tx: Tx, event: JobEventName, id: number) => {
    const ended = await tx.jobs.findById(id)
    if (ended === null) return
    await tx.events.append(jobEvent(event, ended, clock.now()))
  }

  const finish = (job: Job, writes: readonly CompletionWrite[]) =>
    unitOfWork.write(async (tx) => {
      for (const write of writes) await write(tx)
      if (await tx.jobs.complete(job, clock.now())) await record(tx, 'job.done', job.id)
      const following = next(job.kind)
      if (following !== null) await tx.jobs.enqueue(following)
    })

  const fail = (job: Job, error: unknown, runAt: number | null) =>
    unitOfWork.write(async (tx) => {
      const failed = await tx.jobs.fail(job, { now: clock.now(), error: reasonOf(error), runAt })
      if (failed && runAt === null) await record(tx, 'job.dead', job.id)
      const following = runAt === null ? next(job.kind) : null
      if (following !== null) await tx.jobs.enqueue(following)
    })

  return { next, finish, fail }
}

/** Runs a job once. Returns what to write if it is done, or why it failed. */
const attempt = async (
  handlers: RunnerDeps['handlers'],
  job: Job,
  stop: AbortSignal,
): Promise<{ readonly writes: readonly CompletionWrite[] } | { readonly error: unknown }> => {
  try {
    // A job that crashes its process each time never reaches `fail`.
    if (retryDelay(job.attempts - 1, 0) === null) throw new Error('started too many times without finishing')
    if (!isKnown(handlers, job.kind)) throw new Error(`no handler for ${job.kind}`)
    const handler = handlers[job.kind]
    const writes: CompletionWrite[] = []
    const onCompletion = (write: CompletionWrite) => void writes.push(write)
    await withDeadline(handler.deadlineMs, stop, async (signal) => handler.run(job, signal, onCompletion))
    return { writes }
  } catch (error) {
    return { error }
  }
}

export const createJobRunner = ({ unitOfWork, handlers, clock, log, random }: RunnerDeps): JobRunner => {
  const { next, finish, fail } = createResults(unitOfWork, handlers, clock)

  /** When to retry; null for never. */
  const retryAt = (job: Job, error: unknown): number | null => {
    const delay = error instanceof PermanentFailure ? null : retryDelay(job.attempts, random())
    const fields = { job_id: job.id, kind: job.kind, attempts: job.attempts, error }
    if (delay === null) log.error('job is dead', fields)
    else log.warn('job failed, will be retried', fields)
    return delay === null ? null : Math.round(clock.now() + delay)
  }

  const renewing = (job: Job): Disposable => {
    const renew = () =>
      unitOfWork
        .write((tx) => tx.jobs.renew(job, clock.now() + LEASE_MS))
        // The next renewal may still be in time.
        .catch((error: unknown) => log.warn('a lease was not renewed', { job_id: job.id, error }))
    const timer = setInterval(renew, RENEW_EVERY_MS)
    return { [Symbol.dispose]: () => clearInterval(timer) }
  }

  /**
   * Records how an attempt ended, and retries until the database accepts it, because otherwise the job would run again.
   */
  const recordResult = async (stop: AbortSignal, note: () => Promise<void>): Promise<void> => {
    for (;;) {
      try {
        return await note()
      } catch (error) {
        if (stop.aborted || !isTransient(error)) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_WRITE_MS))
    }
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
      return unitOfWork.write((tx) => tx.jobs.claim({ now, leaseUntil: now + LEASE_MS, limit }))
    },

    async run(job, stop) {
      using _ = renewing(job)
      const result = await attempt(handlers, job, stop)
      if ('writes' in result) {
        await recordResult(stop, () => finish(job, result.writes))
        log.debug('job done', { job_id: job.id, kind: job.kind, attempts: job.attempts })
      } else if (stop.aborted) await unitOfWork.write((tx) => tx.jobs.release(job, clock.now()))
      else {
        const runAt = retryAt(job, result.error)
        await recordResult(stop, () => fail(job, result.error, runAt))
      }
    },
  }
}
