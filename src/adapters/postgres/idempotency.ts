import type { IdempotencyRepository } from '../../application/ports/persistence.ts'
import { idempotency } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { postgresPlaceholder, upsertInto } from '../sql/statements.ts'
import { packResponse, unpackResponse } from '../sql/stored-responses.ts'
import { BYTES_OF, idempotencyBytes, type UsageCounter } from '../sql/usage.ts'
import { type Int8, int, type Transaction } from './connection.ts'
import { LockConflict } from './errors.ts'
import { deleteSome, firstOf } from './rows.ts'

interface SizeRow {
  user_id: Int8
  bytes: Int8
}

const RETURNED_SIZE = `RETURNING user_id, ${BYTES_OF.idempotency} AS bytes`

/** Returns the size of an expired record that it replaces; the subquery sees the old row. */
const PUT = `${upsertInto(idempotency, postgresPlaceholder)}
  RETURNING (SELECT ${BYTES_OF.idempotency} FROM idempotency before
             WHERE (before.user_id, before.route, before.key) = (idempotency.user_id, idempotency.route, idempotency.key)
            ) AS before`

export const createIdempotencyRepository = (connection: Transaction, usage: UsageCounter): IdempotencyRepository => {
  const remove = async (condition: string, value: number, limit: number) => {
    const gone = await deleteSome<SizeRow>(connection, idempotency, condition, [value], limit, RETURNED_SIZE)
    for (const { user_id, bytes } of gone) usage.add(int(user_id), -int(bytes))
    return gone.length
  }
  return {
    async find(userId, route, key) {
      // A missing row cannot be locked, so the key has an advisory lock. Nobody waits for it, because a shared
      // transaction also has the keys of others locked.
      const [[lock], found] = await Promise.all([
        connection.read<{ taken: boolean }>(
          'SELECT NOT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS taken',
          `${userId} ${route} ${key}`,
        ),
        firstOf(
          idempotency,
          connection.read<Row>(
            'SELECT * FROM idempotency WHERE user_id = $1 AND route = $2 AND key = $3',
            userId,
            route,
            key,
          ),
        ),
      ])
      if (lock?.taken !== false) throw new LockConflict('another transaction has the key')
      return found && { ...found, response: unpackResponse(found.response) }
    },
    async put(record) {
      const response = packResponse(record.response)
      const [row] = await connection.change<{ before: Int8 | null }>(
        PUT,
        ...idempotency.valuesOf({ ...record, response }),
      )
      usage.add(record.userId, idempotencyBytes(record.key, response) - int(row?.before ?? '0'))
    },
    deleteOld: (before, limit) => remove('created_at <= $1', before, limit),
    deleteOwned: (userId, limit) => remove('user_id = $1', userId, limit),
  }
}
