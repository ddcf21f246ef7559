import type { AuditReader, AuditRepository, AuditScope } from '../../application/ports/audit.ts'
import type { AuditEntry } from '../../domain/audit.ts'
import type { Instant } from '../../domain/user.ts'
import { countedInsertInto, mergeNewest, onceInsertInto, storedAuditEntry } from '../sql/audit.ts'
import { audit } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { insertInto } from '../sql/statements.ts'
import type { Connection } from './database.ts'
import { prepareChange } from './rows.ts'

export const createAuditReader = (connection: Connection): AuditReader => {
  const where = <Values extends (number | string)[]>(condition: string) =>
    connection.prepare<Row, Values>(`SELECT * FROM audit WHERE ${condition} id < ? ORDER BY id DESC LIMIT +?`)
  const all = where<[number, number]>('')
  const byActor = where<[number, number, number]>('actor_id = +? AND')
  const bySubject = where<[string, number, number]>('subject = +? AND')
  const byAction = where<[string, number, number]>('action = +? AND')
  const find = (scope: AuditScope, before: number, limit: number): Row[] => {
    if (scope === 'all') return all.all(before, limit)
    if ('actorId' in scope) return byActor.all(scope.actorId, before, limit)
    if ('subject' in scope) return bySubject.all(scope.subject, before, limit)
    return scope.actions.flatMap((action) => byAction.all(action, before, limit))
  }
  const latest = connection.prepare<{ id: number; createdAt: Instant }, [number]>(
    'SELECT id, created_at AS "createdAt" FROM audit WHERE id <= ? ORDER BY id DESC LIMIT 1',
  )
  return {
    newest: async ({ scope, before, limit }): Promise<readonly AuditEntry[]> =>
      mergeNewest(find(scope, before, limit).map(audit.fromRow), limit),
    latest: async (id) => latest.get(id),
  }
}

export const createAuditRepository = (connection: Connection): AuditRepository => {
  const append = prepareChange(connection, insertInto('audit', audit.inserted))
  const appendOrCount = prepareChange(connection, countedInsertInto())
  const appendOnce = prepareChange(connection, onceInsertInto())
  const nth = (column: string) =>
    connection.prepare<{ created_at: number }, [number | string, number]>(
      `SELECT created_at FROM audit WHERE ${column} = +? ORDER BY id DESC LIMIT 1 OFFSET +?`,
    )
  const nthOfActor = nth('actor_id')
  const nthOfAction = nth('action')
  const removeOld = prepareChange(
    connection,
    'DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT +?) AND created_at < ?',
  )
  const concerned = connection.prepare<{ id: number }, [number, number, string, number, number]>(
    `SELECT id FROM audit WHERE actor_id = +? AND id > ?
     UNION SELECT id FROM audit WHERE subject = +? AND actor_id IS NULL AND id > ?
     ORDER BY id LIMIT +?`,
  )
  const erase = prepareChange(connection, 'UPDATE audit SET address = NULL WHERE id = ?')
  return {
    ...createAuditReader(connection),
    async append(entry) {
      append(...audit.valuesOf(storedAuditEntry(entry, null)))
    },
    async appendOrCount(entry, key) {
      appendOrCount(...audit.valuesOf(storedAuditEntry(entry, key)))
    },
    async appendOnce(entry, key) {
      appendOnce(...audit.valuesOf(storedAuditEntry(entry, key)))
    },
    timeOfActor: async (actorId, number) => nthOfActor.get(actorId, number - 1)?.created_at ?? null,
    timeOfAction: async (action, number) => nthOfAction.get(action, number - 1)?.created_at ?? null,
    deleteBefore: async (instant, limit) => removeOld(limit, instant),
    async eraseAddresses(userId, after, limit) {
      const found = concerned.all(userId, after, `users/${userId}`, after, limit)
      for (const { id } of found) erase(id)
      return found.at(-1)?.id ?? null
    },
  }
}
