import type { AuditReader, AuditRepository, AuditScope } from '../../application/ports/audit.ts'
import { countedInsertInto, mergeNewest, onceInsertInto, storedAuditEntry } from '../sql/audit.ts'
import { audit } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { insertInto, postgresPlaceholder } from '../sql/statements.ts'
import { type Connection, type Int8, int, type Parameter, type Transaction } from './connection.ts'

export const createAuditReader = (connection: Connection): AuditReader => {
  const where = async (condition: string, before: number, limit: number, ...values: readonly Parameter[]) => {
    const rows = await connection.read<Row>(
      `SELECT * FROM audit WHERE ${condition} id < $1 ORDER BY id DESC LIMIT $2`,
      ...[before, limit, ...values],
    )
    return rows.map(audit.fromRow)
  }
  const find = async (scope: AuditScope, before: number, limit: number) => {
    if (scope === 'all') return where('', before, limit)
    if ('actorId' in scope) return where('actor_id = $3 AND', before, limit, scope.actorId)
    if ('subject' in scope) return where('subject = $3 AND', before, limit, scope.subject)
    const found = scope.actions.map((action) => where('action = $3 AND', before, limit, action))
    return (await Promise.all(found)).flat()
  }
  return {
    newest: async ({ scope, before, limit }) => mergeNewest(await find(scope, before, limit), limit),
    async latest(id) {
      const [row] = await connection.read<{ id: Int8; created_at: Int8 }>(
        'SELECT id, created_at FROM audit WHERE id <= $1 ORDER BY id DESC LIMIT 1',
        id,
      )
      return row === undefined ? null : { id: int(row.id), createdAt: int(row.created_at) }
    },
  }
}

const INSERT = insertInto('audit', audit.inserted, postgresPlaceholder)
const INSERT_ONCE = onceInsertInto(postgresPlaceholder)
const INSERT_OR_COUNT = countedInsertInto(postgresPlaceholder)

export const createAuditRepository = (connection: Transaction): AuditRepository => {
  const nth = async (column: string, value: Parameter, number: number) => {
    const [row] = await connection.read<{ created_at: Int8 }>(
      `SELECT created_at FROM audit WHERE ${column} = $1 ORDER BY id DESC LIMIT 1 OFFSET $2`,
      value,
      number - 1,
    )
    return row === undefined ? null : int(row.created_at)
  }
  return {
    ...createAuditReader(connection),
    async append(entry) {
      void connection.insert(INSERT, ...audit.valuesOf(storedAuditEntry(entry, null)))
    },
    async appendOrCount(entry, key) {
      void connection.change(INSERT_OR_COUNT, ...audit.valuesOf(storedAuditEntry(entry, key)))
    },
    async appendOnce(entry, key) {
      void connection.change(INSERT_ONCE, ...audit.valuesOf(storedAuditEntry(entry, key)))
    },
    timeOfActor: (actorId, number) => nth('actor_id', actorId, number),
    timeOfAction: (action, number) => nth('action', action, number),
    async deleteBefore(instant, limit) {
      const { count } = await connection.change(
        `DELETE FROM audit WHERE id = ANY (ARRAY(SELECT id FROM audit ORDER BY id LIMIT $1)) AND created_at < $2`,
        limit,
        instant,
      )
      return count
    },
    async eraseAddresses(userId, after, limit) {
      const found = await connection.read<{ id: Int8 }>(
        `SELECT id FROM audit WHERE actor_id = $1 AND id > $2
         UNION SELECT id FROM audit WHERE subject = $3 AND actor_id IS NULL AND id > $2
         ORDER BY id LIMIT $4`,
        userId,
        after,
        `users/${userId}`,
        limit,
      )
      const ids = found.map(({ id }) => int(id))
      if (ids.length === 0) return null
      void connection.change('UPDATE audit SET address = NULL WHERE id = ANY ($1::bigint[])', `{${ids.join()}}`)
      return ids.at(-1) ?? null
    },
  }
}
