import type { JobRunner } from '../../application/job-runner.ts'
import type { Log } from '../../application/ports/system.ts'
import type { Job } from '../../domain/job.ts'

export interface Worker {
  /** Looks for jobs now instead of at the next poll. */
  notify(): void
  /**
   * Claims no more jobs; jobs that do not end within `timeout` milliseconds return to the queue, or, if that cannot be
   * written in time, run again when their lease expires.
   */
  stop(timeout: number): Promise<void>
}

interface Options {
  readonly runner: JobRunner
  readonly log: Log
  /** Maximum number of concurrent jobs. */
  readonly concurrency?: number
  /** Milliseconds between polls for due jobs. */
  readonly poll?: number
}

/** Time limit for returning a job to the queue. */
const RELEASE_MS = 500

/** How soon a recurring job that an admin has deleted is queued again. */
const SCHEDULE_MS = 60_000

export const startWorker = ({ runner, log, concurrency = 8, poll = 1_000 }: Options): Worker => {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  let notified = false
  let looking = false
  let stopped = false

  const start = (job: Job) => {
    const work = runner
      .run(job, stopping.signal)
      // Its end could not be recorded, so its lease expires and it runs again.
      .catch((error: unknown) => log.error('job lost', { job_id: job.id, error }))
      .finally(() => {
        running.delete(work)
        notify()
      })
    running.add(work)
  }

  const look = async () => {
    looking = true
    try {
      do {
        notified = false
        const free = concurrency - running.size
        if (free > 0) for (const job of await runner.claim(free)) start(job)
      } while (notified && !stopped)
    } catch (error) {
      log.warn('the queue cannot be read', { error })
    } finally {
      looking = false
    }
  }

  const notify = () => {
    notified = true
    if (!looking && !stopped) void look()
  }

  const schedule = () => runner.prepare().catch((error: unknown) => log.warn('the schedule cannot be kept', { error }))
  const timer = setInterval(notify, poll)
  const scheduleTimer = setInterval(schedule, SCHEDULE_MS)
  notify()

  return {
    notify,
    async stop(timeout) {
      stopped = true
      clearInterval(timer)
      clearInterval(scheduleTimer)
      const deadline = setTimeout(() => stopping.abort(new Error('the server is stopping')), timeout)
      const end = performance.now() + timeout + RELEASE_MS
      while ((looking || running.size > 0) && performance.now() < end) await Promise.race([...running, Bun.sleep(5)])
      clearTimeout(deadline)
    },
  }
}
