import type { BackupReader, BackupRepository } from '../../application/ports/persistence.ts'
import { backups } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { deleteById, postgresPlaceholder } from '../sql/statements.ts'
import { type Connection, type Lock, ROW_LOCK, type Transaction } from './connection.ts'
import { lookUpIn } from './look-up.ts'
import { createPager } from './pages.ts'
import { inserterOf, updaterOf } from './rows.ts'

/** The advisory lock for decisions based on whether a backup is running. */
const RUNNING_LOCK_KEY = 0x5ceb

const insertBackup = inserterOf(backups)
const updateBackup = updaterOf(backups)
const DELETE = deleteById('backups', postgresPlaceholder)

export const createBackupReader = (connection: Connection, lock: Lock = ''): BackupReader => {
  const { page } = createPager(connection, backups, { sorts: ['created_at'] })
  return {
    findById: lookUpIn(connection, backups, lock),
    list: (request) => page(request, []),
    async isRunning(now) {
      const { count } = await connection.read(
        "SELECT FROM backups WHERE state = 'running' AND lease_until > $1 LIMIT 1",
        now,
      )
      return count > 0
    },
  }
}

export const createBackupRepository = (connection: Transaction): BackupRepository => {
  const reader = createBackupReader(connection, ROW_LOCK)
  return {
    ...reader,
    // Units that each begin a backup must look one after the other, because a row that is not there cannot be locked.
    async isRunning(now) {
      void connection.lock('SELECT pg_advisory_xact_lock($1)', RUNNING_LOCK_KEY)
      return reader.isRunning(now)
    },
    insert: (backup) => insertBackup(connection, backup),
    update: (backup) => updateBackup(connection, backup),
    async delete(id) {
      void connection.change(DELETE, id)
    },
    async renew(id, { name, now, leaseUntil }) {
      const { count } = await connection.change(
        `UPDATE backups SET lease_until = greatest(lease_until, $4)
         WHERE id = $1 AND name IS NOT DISTINCT FROM $2::text AND state = 'running' AND lease_until > $3`,
        id,
        name,
        now,
        leaseUntil,
      )
      return count > 0
    },
    async beyondNewest(count, limit) {
      const found = await connection.read<Row>(
        `SELECT * FROM (
         SELECT * FROM backups WHERE state = 'done' AND name IS NOT NULL ORDER BY created_at DESC, id DESC OFFSET $1) AS older
       ORDER BY created_at, id LIMIT $2`,
        count,
        limit,
      )
      return found.map(backups.fromRow)
    },
    async expired(instant, limit) {
      const sql = "SELECT * FROM backups WHERE state = 'running' AND lease_until <= $1 ORDER BY id LIMIT $2"
      return (await connection.lookUp<Row>(ROW_LOCK, sql, instant, limit)).map(backups.fromRow)
    },
  }
}
