import type { JobRunner } from '../../application/job-runner.ts'
import type { Log } from '../../application/ports/system.ts'
import type { Job } from '../../domain/job.ts'

export interface Worker {
  /** Looks for work now instead of at the next poll. */
  notify(): void
  /**
   * Takes no more jobs; what does not end within `timeout` milliseconds goes back to the queue, or, when even that
   * cannot be written in a moment, runs again once its lease is over.
   */
  stop(timeout: number): Promise<void>
}

interface Options {
  readonly runner: JobRunner
  readonly log: Log
  /** How many jobs run at the same time. */
  readonly concurrency?: number
  /** Milliseconds between looks for jobs whose time has come. */
  readonly poll?: number
}

/** What it may take to note that a job goes back. */
const RELEASE_MS = 500

/** How soon a recurring job that an admin removed is back. */
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
      // How it ended could not be noted: its lease runs out, and it runs again.
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
