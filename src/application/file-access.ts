import { type Expression, FALSE } from '../domain/expression.ts'
import { conjunctionOf } from '../domain/expression-parts.ts'
import type { StoredFile } from '../domain/file.ts'
import type { Catalog } from './catalog.ts'
import type { RecordQuery } from './ports/records.ts'
import type { Authorization } from './record-access.ts'
import { referencesId } from './record-conditions.ts'

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

/** Each page has a limited cost. If no record on these is readable by the caller, the file counts as not readable. */
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
    const condition = conjunctionOf([await authorization.rule(compiled, 'read'), referencesId(field, id)])
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
