import type { IdempotencyRepository } from '../../application/ports/persistence.ts'
import { idempotency } from '../sql/entities.ts'
import { upsertInto } from '../sql/statements.ts'
import { packResponse, unpackResponse } from '../sql/stored-responses.ts'
import { BYTES_OF, idempotencyBytes, type UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'
import { deleteSome, prepareChange, prepareFind } from './rows.ts'

interface SizeRow {
  user_id: number
  bytes: number
}

export const createIdempotencyRepository = (connection: Connection, usage: UsageCounter): IdempotencyRepository => {
  const find = prepareFind(connection, idempotency, 'user_id = ? AND route = ? AND key = ?')
  const taken = connection.prepare<SizeRow, [number, string, string]>(
    `SELECT user_id, ${BYTES_OF.idempotency} AS bytes FROM idempotency WHERE user_id = ? AND route = ? AND key = ?`,
  )
  const put = prepareChange(connection, upsertInto(idempotency))
  const prepareRemoval = (condition: string) =>
    connection.prepare<SizeRow, [number, number]>(
      `${deleteSome(idempotency, condition)} RETURNING user_id, ${BYTES_OF.idempotency} AS bytes`,
    )
  const old = prepareRemoval('created_at <= ?')
  const owned = prepareRemoval('user_id = ?')
  const subtractUsage = (rows: readonly SizeRow[]): number => {
    for (const { user_id, bytes } of rows) usage.add(user_id, -bytes)
    return rows.length
  }
  return {
    async find(userId, route, key) {
      const found = find(userId, route, key)
      return found && { ...found, response: unpackResponse(found.response) }
    },
    async put(record) {
      const { userId, route, key } = record
      const response = packResponse(record.response)
      subtractUsage(taken.all(userId, route, key))
      put(...idempotency.valuesOf({ ...record, response }))
      usage.add(userId, idempotencyBytes(key, response))
    },
    async deleteOld(before, limit) {
      return subtractUsage(old.all(before, limit))
    },
    async deleteOwned(userId, limit) {
      return subtractUsage(owned.all(userId, limit))
    },
  }
}
