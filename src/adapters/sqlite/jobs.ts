import type { JobReader, JobRepository } from '../../application/ports/persistence.ts'
import { JOB_STATES, type JobState } from '../../domain/job.ts'
import type { Instant } from '../../domain/user.ts'
import { jobs } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { runAtOnce } from '../sql/step-queue.ts'
import type { Connection } from './database.ts'
import { createPager } from './pages.ts'
import { deleteSome, prepareChange, prepareFind } from './rows.ts'

export const createJobReader = (connection: Connection, runStep = runAtOnce): JobReader => {
  const byId = prepareFind(connection, jobs, 'id = ?')
  const queued = connection.prepare<unknown, [number]>(
    "SELECT 1 FROM jobs WHERE state = 'queued' AND run_at <= ? LIMIT 1",
  )
  const lost = connection.prepare<unknown, [number]>(
    "SELECT 1 FROM jobs WHERE state = 'running' AND lease_until <= ? LIMIT 1",
  )
  const count = connection.prepare<{ count: number }, [JobState, number]>(
    'SELECT count(*) AS count FROM (SELECT 1 FROM jobs WHERE state = +? LIMIT +?)',
  )
  const { page } = createPager(connection, jobs, { sorts: ['created_at'], runStep })
  return {
    findById: async (id) => byId(id),
    async list({ state, ...request }) {
      return page(request, state === null ? [] : [{ sql: 'state = +:state', state }])
    },
    async countByState(most) {
      const counts: Record<JobState, number> = { queued: 0, running: 0, done: 0, dead: 0 }
      for (const state of JOB_STATES) counts[state] = count.get(state, most)?.count ?? 0
      return counts
    },
    async hasDue(now) {
      return queued.get(now) !== null || lost.get(now) !== null
    },
  }
}

export interface SqliteJobRepository extends JobRepository {
  /**
   * Returns every running job to the queue. Only for the one process that serves this database, before it runs jobs.
   */
  releaseAll(now: Instant): Promise<void>
}

/** `onEnqueued` is called for each new or returned job, before the commit. */
export const createJobRepository = (connection: Connection, onEnqueued: () => void): SqliteJobRepository => {
  const enqueue = prepareChange(
    connection,
    `INSERT INTO jobs (kind, payload, state, attempts, run_at, unique_key, created_at, updated_at)
     VALUES (?, ?, 'queued', 0, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  )
  const recover = prepareChange(
    connection,
    "UPDATE jobs SET state = 'queued', lease_until = NULL WHERE state = 'running' AND lease_until <= ?",
  )
  const claim = connection.prepare<Row>(
    `UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_until = :leaseUntil, updated_at = :now
     WHERE id IN (SELECT id FROM jobs WHERE state = 'queued' AND run_at <= :now ORDER BY run_at, id LIMIT +:limit)
     RETURNING *`,
  )
  const leased = "WHERE id = :id AND state = 'running' AND attempts = :attempts"
  const renew = prepareChange(connection, `UPDATE jobs SET lease_until = :leaseUntil ${leased}`)
  const complete = prepareChange(
    connection,
    `UPDATE jobs SET state = 'done', lease_until = NULL, last_error = NULL, updated_at = :now ${leased}`,
  )
  const fail = prepareChange(
    connection,
    `UPDATE jobs SET state = iif(:runAt IS NULL, 'dead', 'queued'), run_at = coalesce(:runAt, run_at),
       lease_until = NULL, last_error = :error, updated_at = :now ${leased}`,
  )
  const release = prepareChange(
    connection,
    `UPDATE jobs SET state = 'queued', attempts = attempts - 1, lease_until = NULL, updated_at = :now ${leased}`,
  )
  const releaseAll = prepareChange(
    connection,
    "UPDATE jobs SET state = 'queued', lease_until = NULL, updated_at = ? WHERE state = 'running'",
  )
  const retry = prepareChange(
    connection,
    `UPDATE OR IGNORE jobs SET state = 'queued', attempts = 0, run_at = ?, updated_at = ?
     WHERE id = ? AND state IN ('queued', 'dead')`,
  )
  const remove = prepareChange(connection, "DELETE FROM jobs WHERE id = ? AND state <> 'running'")
  const removeEnded = prepareChange(
    connection,
    deleteSome(jobs, "state IN ('done', 'dead') AND state = +? AND updated_at < ?"),
  )

  return {
    ...createJobReader(connection),
    async enqueue({ kind, payload, now, runAt = now, key }) {
      enqueue(kind, JSON.stringify(payload), runAt, key ?? null, now, now)
      onEnqueued()
    },
    async claim(request) {
      recover(request.now)
      return claim.all({ ...request }).map(jobs.fromRow)
    },
    renew: async ({ id, attempts }, leaseUntil) => renew({ id, attempts, leaseUntil }) > 0,
    complete: async ({ id, attempts }, now) => complete({ id, attempts, now }) > 0,
    fail: async ({ id, attempts }, failure) => fail({ id, attempts, ...failure }) > 0,
    async release({ id, attempts }, now) {
      release({ id, attempts, now })
    },
    async releaseAll(now) {
      releaseAll(now)
    },
    async retry(id, now) {
      onEnqueued()
      return retry(now, now, id) > 0
    },
    delete: async (id) => remove(id) > 0,
    deleteEnded: async (state, before, limit) => removeEnded(state, before, limit),
  }
}
