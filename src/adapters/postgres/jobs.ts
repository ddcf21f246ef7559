import type { JobAttempt, JobReader, JobRepository } from '../../application/ports/persistence.ts'
import { JOB_STATES, type JobState } from '../../domain/job.ts'
import { jobs } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { type Connection, type Int8, int, type Transaction } from './connection.ts'
import { LockConflict, sqlState } from './errors.ts'
import { createPager } from './pages.ts'
import { deleteSome, firstOf } from './rows.ts'

export const createJobReader = (connection: Connection): JobReader => {
  const { page } = createPager(connection, jobs, { sorts: ['created_at'] })
  return {
    async findById(id) {
      return firstOf(jobs, connection.read('SELECT * FROM jobs WHERE id = $1', id))
    },
    async list({ state, ...request }) {
      return page(request, state === null ? [] : [{ sql: 'state = ?', values: [state] }])
    },
    async countByState(most) {
      const rows = await connection.read<{ state: JobState; n: Int8 }>(
        `SELECT state, (SELECT count(*) FROM (SELECT FROM jobs WHERE jobs.state = states.state LIMIT $1) AS found) AS n
         FROM unnest($2::text[]) AS states (state)`,
        most,
        `{${JOB_STATES.join(',')}}`,
      )
      const counts: Record<JobState, number> = { queued: 0, running: 0, done: 0, dead: 0 }
      for (const { state, n } of rows) counts[state] = int(n)
      return counts
    },
    async hasDue(now) {
      const { count } = await connection.read(
        `(SELECT FROM jobs WHERE state = 'queued' AND run_at <= $1 LIMIT 1) UNION ALL
         (SELECT FROM jobs WHERE state = 'running' AND lease_until <= $1 LIMIT 1)`,
        now,
      )
      return count > 0
    },
  }
}

const LEASED_ATTEMPT = "WHERE id = $1 AND state = 'running' AND attempts = $2"

/** Sets columns of a job if the attempt still has its lease. `$1` and `$2` are the attempt. */
const changeLeased = async (
  connection: Transaction,
  { id, attempts }: JobAttempt,
  columns: string,
  ...values: readonly (string | number | null)[]
): Promise<boolean> => {
  const { count } = await connection.change(`UPDATE jobs SET ${columns} ${LEASED_ATTEMPT}`, id, attempts, ...values)
  return count > 0
}

/** `onEnqueued` is called for each new or returned job, before the commit. */
export const createJobRepository = (connection: Transaction, onEnqueued: () => void): JobRepository => ({
  ...createJobReader(connection),
  async enqueue({ kind, payload, now, runAt = now, key }) {
    void connection.insert(
      `INSERT INTO jobs (kind, payload, state, attempts, run_at, unique_key, created_at, updated_at)
       VALUES ($1, $2, 'queued', 0, $3, $4, $5, $5) ON CONFLICT DO NOTHING`,
      kind,
      JSON.stringify(payload),
      runAt,
      key ?? null,
      now,
    )
    onEnqueued()
  },
  // Several processes claim concurrently: each skips rows locked by another.
  async claim({ now, leaseUntil, limit }) {
    void connection.change(
      `WITH lost AS MATERIALIZED (
         SELECT id FROM jobs WHERE state = 'running' AND lease_until <= $1 FOR UPDATE SKIP LOCKED)
       UPDATE jobs SET state = 'queued', lease_until = NULL FROM lost WHERE jobs.id = lost.id`,
      now,
    )
    const claimed = await connection.change<Row>(
      `WITH due AS MATERIALIZED (
         SELECT id FROM jobs WHERE state = 'queued' AND run_at <= $1 ORDER BY run_at, id LIMIT $3
         FOR UPDATE SKIP LOCKED)
       UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_until = $2, updated_at = $1
       FROM due WHERE jobs.id = due.id RETURNING jobs.*`,
      now,
      leaseUntil,
      limit,
    )
    return claimed.map(jobs.fromRow).sort((one, other) => one.runAt - other.runAt || one.id - other.id)
  },
  renew: (attempt, leaseUntil) => changeLeased(connection, attempt, 'lease_until = $3', leaseUntil),
  complete: (attempt, now) =>
    changeLeased(connection, attempt, "state = 'done', lease_until = NULL, last_error = NULL, updated_at = $3", now),
  fail: (attempt, { now, error, runAt }) =>
    changeLeased(
      connection,
      attempt,
      `state = CASE WHEN $3::bigint IS NULL THEN 'dead' ELSE 'queued' END,
       run_at = coalesce($3::bigint, run_at), lease_until = NULL, last_error = $4, updated_at = $5`,
      runAt,
      error,
      now,
    ),
  async release({ id, attempts }, now) {
    void connection.change(
      `UPDATE jobs SET state = 'queued', attempts = attempts - 1, lease_until = NULL, updated_at = $3 ${LEASED_ATTEMPT}`,
      id,
      attempts,
      now,
    )
  },
  async retry(id, now) {
    onEnqueued()
    const retried = connection.change(
      `UPDATE jobs SET state = 'queued', attempts = 0, run_at = $2, updated_at = $2
       WHERE id = $1 AND state IN ('queued', 'dead') AND NOT EXISTS (
         SELECT FROM jobs other
         WHERE other.unique_key = jobs.unique_key AND other.state IN ('queued', 'running') AND other.id <> jobs.id)`,
      id,
      now,
    )
    // A job with the same key was queued meanwhile; the next run sees it.
    const { count } = await retried.catch((error: unknown) => {
      throw sqlState(error) === '23505' ? new LockConflict('another job has the key', { cause: error }) : error
    })
    return count > 0
  },
  async delete(id) {
    const { count } = await connection.change("DELETE FROM jobs WHERE id = $1 AND state <> 'running'", id)
    return count > 0
  },
  async deleteEnded(state, before, limit) {
    const condition = "state IN ('done', 'dead') AND state = $1 AND updated_at < $2"
    const { count } = await deleteSome(connection, jobs, condition, [state, before], limit)
    return count
  },
})
