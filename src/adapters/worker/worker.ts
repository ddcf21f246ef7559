import type { JobRunner } from '../../application/jobs.ts'
import type { Log } from '../../application/ports/system.ts'
import type { Job } from '../../domain/job.ts'

export interface Worker {
  /** Looks for work now instead of at the next poll. */
  wake(): void
  /** Takes no more jobs; what does not end within `timeout` milliseconds goes back to the queue. */
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

export const startWorker = ({ runner, log, concurrency = 8, poll = 1_000 }: Options): Worker => {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  let woken = false
  let looking = false
  let stopped = false

  const start = (job: Job) => {
    const work = runner
      .run(job, stopping.signal)
      // How it ended could not be noted: its lease runs out, and it runs again.
      .catch((error: unknown) => log.error('job lost', { job_id: job.id, error }))
      .finally(() => {
        running.delete(work)
        wake()
      })
    running.add(work)
  }

  const look = async () => {
    looking = true
    try {
      do {
        woken = false
        const free = concurrency - running.size
        if (free > 0) for (const job of await runner.claim(free)) start(job)
      } while (woken && !stopped)
    } catch (error) {
      log.warn('the queue cannot be read', { error })
    } finally {
      looking = false
    }
  }

  const wake = () => {
    woken = true
    if (!looking && !stopped) void look()
  }

  const timer = setInterval(wake, poll)
  wake()

  return {
    wake,
    async stop(timeout) {
      stopped = true
      clearInterval(timer)
      const deadline = setTimeout(() => stopping.abort(new Error('the server is stopping')), timeout)
      while (looking || running.size > 0) await Promise.race([...running, Bun.sleep(5)])
      clearTimeout(deadline)
    },
  }
}
