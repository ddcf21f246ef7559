import type { BackupReader, BackupRepository } from '../../application/ports/persistence.ts'
import { backups } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { deleteById } from '../sql/statements.ts'
import type { Connection } from './database.ts'
import { createPager } from './pages.ts'
import { prepareChange, prepareFind, prepareInsert, prepareUpdate } from './rows.ts'

export const createBackupReader = (connection: Connection): BackupReader => {
  const byId = prepareFind(connection, backups, 'id = ?')
  const running = connection.prepare<unknown, [number]>(
    "SELECT 1 FROM backups WHERE state = 'running' AND lease_until > ? LIMIT 1",
  )
  const { page } = createPager(connection, backups, { sorts: ['created_at'] })
  return {
    findById: async (id) => byId(id),
    list: (request) => page(request, []),
    isRunning: async (now) => running.get(now) !== null,
  }
}

export const createBackupRepository = (connection: Connection): BackupRepository => {
  const insert = prepareInsert(connection, backups)
  const update = prepareUpdate(connection, backups)
  const remove = prepareChange(connection, deleteById('backups'))
  const renew = prepareChange(
    connection,
    `UPDATE backups SET lease_until = max(lease_until, ?)
     WHERE id = ? AND name IS ? AND state = 'running' AND lease_until > ?`,
  )
  const older = connection.prepare<Row, [number, number]>(
    `SELECT * FROM (
       SELECT * FROM backups WHERE state = 'done' AND name IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET +?)
     ORDER BY created_at, id LIMIT +?`,
  )
  const expired = connection.prepare<Row, [number, number]>(
    "SELECT * FROM backups WHERE state = 'running' AND lease_until <= ? ORDER BY id LIMIT +?",
  )
  return {
    ...createBackupReader(connection),
    insert: async (backup) => insert(backup),
    async update(backup) {
      update(backup)
    },
    async delete(id) {
      remove(id)
    },
    renew: async (id, { name, now, leaseUntil }) => renew(leaseUntil, id, name, now) > 0,
    beyondNewest: async (count, limit) => older.all(count, limit).map(backups.fromRow),
    expired: async (instant, limit) => expired.all(instant, limit).map(backups.fromRow),
  }
}
