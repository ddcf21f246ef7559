import type { JobReader, JobRepository } from '../../application/ports/persistence.ts'
import { JOB_STATES, type Job, type JobState } from '../../domain/job.ts'
import type { Instant } from '../../domain/user.ts'
import { runAtOnce } from '../sql/step-queue.ts'
import type { Connection } from './database.ts'
import { createPager } from './pages.ts'

interface Row {
  id: number
  kind: string
  payload: string
  state: JobState
  attempts: number
  run_at: number
  last_error: string | null
  created_at: number
  updated_at: number
}

const fromRow = (row: Row): Job => ({
  id: row.id,
  kind: row.kind,
  payload: JSON.parse(row.payload),
  state: row.state,
  attempts: row.attempts,
  runAt: row.run_at,
  lastError: row.last_error,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

export const createJobReader = (connection: Connection, runStep = runAtOnce): JobReader => {
  const byId = connection.prepare<Row, [number]>('SELECT * FROM jobs WHERE id = ?')
  const queued = connection.prepare<unknown, [number]>(
    "SELECT 1 FROM jobs WHERE state = 'queued' AND run_at <= ? LIMIT 1",
  )
  const lost = connection.prepare<unknown, [number]>(
    "SELECT 1 FROM jobs WHERE state = 'running' AND lease_until <= ? LIMIT 1",
  )
  const count = connection.prepare<{ count: number }, [JobState, number]>(
    'SELECT count(*) AS count FROM (SELECT 1 FROM jobs WHERE state = +? LIMIT +?)',
  )
  const { page } = createPager<Row>(connection, { table: 'jobs', columns: ['created_at'], runStep })
  return {
    async findById(id) {
      const row = byId.get(id)
      return row && fromRow(row)
    },
    async list({ state, ...request }) {
      return page(request, state === null ? [] : [{ sql: 'state = +:state', state }], fromRow)
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
  const enqueue = connection.prepare<unknown, [string, string, number, string | null, number, number]>(
    `INSERT INTO jobs (kind, payload, state, attempts, run_at, unique_key, created_at, updated_at)
     VALUES (?, ?, 'queued', 0, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  )
  const recover = connection.prepare<unknown, [number]>(
    "UPDATE jobs SET state = 'queued', lease_until = NULL WHERE state = 'running' AND lease_until <= ?",
  )
  const claim = connection.prepare<Row>(
    `UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_until = :leaseUntil, updated_at = :now
     WHERE id IN (SELECT id FROM jobs WHERE state = 'queued' AND run_at <= :now ORDER BY run_at, id LIMIT +:limit)
     RETURNING *`,
  )
  const leased = "WHERE id = :id AND state = 'running' AND attempts = :attempts"
  const renew = connection.prepare(`UPDATE jobs SET lease_until = :leaseUntil ${leased}`)
  const complete = connection.prepare(
    `UPDATE jobs SET state = 'done', lease_until = NULL, last_error = NULL, updated_at = :now ${leased}`,
  )
  const fail = connection.prepare(
    `UPDATE jobs SET state = iif(:runAt IS NULL, 'dead', 'queued'), run_at = coalesce(:runAt, run_at),
       lease_until = NULL, last_error = :error, updated_at = :now ${leased}`,
  )
  const release = connection.prepare(
    `UPDATE jobs SET state = 'queued', attempts = attempts - 1, lease_until = NULL, updated_at = :now ${leased}`,
  )
  const releaseAll = connection.prepare<unknown, [number]>(
    "UPDATE jobs SET state = 'queued', lease_until = NULL, updated_at = ? WHERE state = 'running'",
  )
  const retry = connection.prepare<unknown, [number, number, number]>(
    `UPDATE OR IGNORE jobs SET state = 'queued', attempts = 0, run_at = ?, updated_at = ?
     WHERE id = ? AND state IN ('queued', 'dead')`,
  )
  const remove = connection.prepare<unknown, [number]>("DELETE FROM jobs WHERE id = ? AND state <> 'running'")
  const old = connection.prepare<unknown, [string, number, number]>(
    `DELETE FROM jobs WHERE id IN
       (SELECT id FROM jobs WHERE state IN ('done', 'dead') AND state = +? AND updated_at < ? LIMIT +?)`,
  )

  return {
    ...createJobReader(connection),
    async enqueue({ kind, payload, now, runAt = now, key }) {
      enqueue.run(kind, JSON.stringify(payload), runAt, key ?? null, now, now)
      onEnqueued()
    },
    async claim(request) {
      recover.run(request.now)
      return claim.all({ ...request }).map(fromRow)
    },
    async renew({ id, attempts }, leaseUntil) {
      return renew.run({ id, attempts, leaseUntil }).changes > 0
    },
    async complete({ id, attempts }, now) {
      return complete.run({ id, attempts, now }).changes > 0
    },
    async fail({ id, attempts }, failure) {
      return fail.run({ id, attempts, ...failure }).changes > 0
    },
    async release({ id, attempts }, now) {
      release.run({ id, attempts, now })
    },
    async releaseAll(now) {
      releaseAll.run(now)
    },
    async retry(id, now) {
      onEnqueued()
      return retry.run(now, now, id).changes > 0
    },
    async delete(id) {
      return remove.run(id).changes > 0
    },
    async deleteEnded(state, before, limit) {
      return old.run(state, before, limit).changes
    },
  }
}
