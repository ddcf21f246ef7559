import { AppError } from '../domain/errors.ts'
import { conjunctionOf } from '../domain/expression-parts.ts'
import type { Page, RowPosition } from '../domain/page.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Catalog, Referrer } from './catalog.ts'
import { anyRecord } from './file-access.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { RecordQuery } from './ports/records.ts'
import { isNotOwnedBy, referencesId } from './record-conditions.ts'

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly catalog: Catalog
}

/** Each page has a limited cost, and other work runs between pages. */
const MAX_PAGES_COUNT = 1_000

/**
 * Throws `referenced` if a record that stays references a user and restricts their deletion. A reference that is added at
 * the same moment does not: see `RecordErasure`.
 */
export const createUserReferenceCheck = ({ unitOfWork, catalog }: Deps) => {
  const isReferenced = async ({ compiled, field }: Referrer, id: number): Promise<boolean> => {
    const references = referencesId(field, id)
    // The user's own records may reference them, if they are deleted too.
    const condition = compiled.collection.owner === 'keep' ? references : conjunctionOf([references, isNotOwnedBy(id)])
    let next: RowPosition | null = null
    for (let page = 0; page < MAX_PAGES_COUNT; page++) {
      const query = anyRecord(condition, id)
      const from: RecordQuery['from'] = next === null ? query.from : { after: next }
      const found: Page<StoredRecord> = await unitOfWork.read((tx) =>
        tx.records(compiled.storage).list({ ...query, from }),
      )
      if (found.items.length > 0) return true
      if (found.next === null) return false
      next = found.next
    }
    return false
  }

  return async (id: number): Promise<void> => {
    for (const referrer of await unitOfWork.read((tx) => catalog.referrersOf(tx, 'users'))) {
      if (referrer.field.action !== 'restrict' || !(await isReferenced(referrer, id))) continue
      throw new AppError('referenced', `A record of ${referrer.compiled.collection.name} references this user`)
    }
  }
}
