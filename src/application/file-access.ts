import type { ReferenceField } from '../domain/collection.ts'
import type { Expression } from '../domain/expression.ts'
import { FALSE, TRUE } from '../domain/expression.ts'
import type { StoredFile } from '../domain/file.ts'
import type { Catalog } from './catalog.ts'
import type { RecordQuery } from './ports/persistence.ts'
import type { Authorization } from './record-access.ts'

/** The condition that a record references something. */
export const referencesId = ({ name, isList }: ReferenceField, id: number): Expression => {
  const value: Expression = { kind: 'literal', value: id }
  const member: Expression = { kind: 'member', of: { kind: 'variable', name: 'record' }, name, time: false }
  return isList ? { kind: 'in', left: value, right: member } : { kind: 'equal', left: member, right: value }
}

export const bothOf = (one: Expression, other: Expression): Expression => {
  if (one === FALSE || other === FALSE) return FALSE
  if (one === TRUE) return other
  return other === TRUE ? one : { kind: 'and', left: one, right: other }
}

/** The query for one record that meets a condition. */
export const anyRecord = (condition: Expression | null, account: number | null): RecordQuery => ({
  size: 1,
  sort: { field: 'created_at', descending: true },
  from: { page: 1, total: false },
  ownerId: null,
  text: null,
  createdAfter: null,
  createdBefore: null,
  condition,
  account,
})

/** Each page has a limited cost. If these find no record that the caller may read, the file is taken as not readable. */
const MAX_PAGES_COUNT = 3

/** Whether the caller may read a file: their own, every file for an admin, and those that records reference that they may read. */
export const isReadableFile = async (
  authorization: Authorization,
  catalog: Catalog,
  { id, ownerId }: StoredFile,
): Promise<boolean> => {
  const { tx, principal } = authorization
  if (principal !== null && (principal.role === 'admin' || principal.userId === ownerId)) return true
  for (const { compiled, field } of await catalog.referrersOf(tx, 'files')) {
    const condition = bothOf(await authorization.rule(compiled, 'read'), referencesId(field, id))
    if (condition === FALSE) continue
    let query = anyRecord(condition, principal?.userId ?? null)
    for (let page = 0; page < MAX_PAGES_COUNT; page++) {
      const { items, next } = await tx.records(compiled.storage).list(query)
      if (items.length > 0) return true
      if (next === null) break
      query = { ...query, from: { after: next } }
    }
  }
  return false
}
