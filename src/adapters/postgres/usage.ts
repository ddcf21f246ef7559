import type { UsageReader, UsageRepository } from '../../application/ports/persistence.ts'
import type { UsageChanges } from '../sql/usage.ts'
import { type Connection, type Int8, int, type Query } from './connection.ts'

export const createUsageReader = (connection: Connection): UsageReader => ({
  async bytesOf(userId) {
    const [row] = await connection.read<{ bytes: Int8 }>('SELECT bytes FROM usage WHERE user_id = $1', userId)
    return int(row?.bytes ?? '0')
  },
})

export const createUsageRepository = (connection: Connection, changes: UsageChanges): UsageRepository => {
  const stored = createUsageReader(connection)
  return {
    bytesOf: async (userId) => (await stored.bytesOf(userId)) + changes.of(userId),
    delete: async (userId) => changes.delete(userId),
  }
}

/**
 * Stores the counts of a transaction's units right before its commit, in the order of users: these frequently changed
 * rows are locked last, as briefly as possible, and always in the same order.
 */
export const storeUsage = (query: Query, changes: UsageChanges, quotaBytes: number | null): void => {
  for (const { userId, bytes, limited, deleted } of changes.all()) {
    if (deleted) void query('DELETE FROM usage WHERE user_id = $1', userId)
    else if (bytes !== 0) {
      void query('SELECT count_usage($1, $2, $3)', userId, bytes, limited ? quotaBytes : null)
    }
  }
}
