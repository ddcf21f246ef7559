import type { UsageReader, UsageRepository } from '../../application/ports/persistence.ts'
import { createUsageChanges, quotaExceeded, type UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'
import type { DeferredWrites } from './writer.ts'

const bytesIn = (connection: Connection) => {
  const find = connection.prepare<{ bytes: number }, [number]>('SELECT bytes FROM usage WHERE user_id = ?')
  return (userId: number): number => find.get(userId)?.bytes ?? 0
}

export const createUsageReader = (connection: Connection): UsageReader => {
  const find = bytesIn(connection)
  return { bytesOf: async (userId) => find(userId) }
}

export interface Usage extends UsageCounter, DeferredWrites {
  readonly repository: UsageRepository
}

/**
 * Counts for all units of a transaction, and stores each user's sum once, just before the commit: a statement for each
 * change would cost more than the change. No other process writes meanwhile.
 */
export const createUsage = (connection: Connection, quotaBytes: number): Usage => {
  const find = bytesIn(connection)
  const grow = connection.prepare<unknown, [number, number]>(
    `INSERT INTO usage (user_id, bytes) VALUES (?, ?)
     ON CONFLICT (user_id) DO UPDATE SET bytes = bytes + excluded.bytes`,
  )
  // Remaining data of a removed user is not counted.
  const shrink = connection.prepare<unknown, [number, number]>('UPDATE usage SET bytes = bytes + ? WHERE user_id = ?')
  const remove = connection.prepare<unknown, [number]>('DELETE FROM usage WHERE user_id = ?')
  /** The stored counts, by user. */
  const stored = new Map<number, number>()
  const ended = createUsageChanges()
  const current = createUsageChanges()

  const bytesOf = (userId: number): number => {
    const known = stored.get(userId) ?? find(userId)
    stored.set(userId, known)
    return known + ended.of(userId) + current.of(userId)
  }
  const endUnit = () => {
    ended.merge(current)
    current.clear()
  }
  const discard = () => {
    for (const memory of [current, ended, stored]) memory.clear()
  }

  return {
    add: current.add,
    addAlways: current.addAlways,
    repository: {
      bytesOf: async (userId) => bytesOf(userId),
      delete: async (userId) => current.delete(userId),
    },
    unitBegun: endUnit,
    checkUnit() {
      for (const { userId, bytes, limited } of current.each()) {
        if (limited && bytes > 0 && bytesOf(userId) > quotaBytes) throw quotaExceeded()
      }
    },
    undoUnit: current.clear,
    discard,
    write() {
      endUnit()
      for (const { userId, bytes, deleted } of ended.each()) {
        if (deleted) remove.run(userId)
        else if (bytes > 0) grow.run(userId, bytes)
        else if (bytes < 0) shrink.run(bytes, userId)
      }
      discard()
    },
  }
}
