import { type Collection, referencesOf } from '../domain/collection.ts'
import type { Expression } from '../domain/expression.ts'
import type { RowPosition } from '../domain/page.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { RecordStorage } from './ports/collections.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { RecordQuery } from './ports/records.ts'
import type { StorageOf } from './referenced-rows.ts'
import type { Hop } from './view-terms.ts'

export interface Stored {
  readonly collection: Collection
  readonly storage: RecordStorage
}

const PAGE_SIZE = 100

/** The condition that a field of a record references the record with this id. */
const refersTo = (collection: Collection, field: string, id: number): Expression => {
  const literal: Expression = { kind: 'literal', value: id }
  const member: Expression = {
    kind: 'member',
    of: { kind: 'variable', name: 'record' },
    name: field,
    time: false,
  }
  const isList = referencesOf(collection).some(({ name, isList }) => name === field && isList)
  return isList ? { kind: 'in', left: literal, right: member } : { kind: 'equal', left: member, right: literal }
}

/** The records that meet a condition, page by page; pages may be empty. */
export async function* matching(
  unitOfWork: UnitOfWork,
  storage: RecordStorage,
  condition: Expression,
): AsyncGenerator<readonly StoredRecord[]> {
  let next: RowPosition | null = null
  do {
    const query: RecordQuery = {
      ownerId: null,
      text: null,
      createdAfter: null,
      createdBefore: null,
      condition,
      size: PAGE_SIZE,
      sort: { field: 'created_at', descending: false },
      from: next === null ? { page: 1, total: false } : { after: next },
    }
    const page = await unitOfWork.read((tx) => tx.records(storage).list(query))
    yield page.items
    next = page.next
  } while (next !== null)
}

/** Leaves out records that have changed since the reference changed. */
type Unchanged = (collection: string, records: readonly StoredRecord[]) => Promise<readonly StoredRecord[]>

/** Finds the records from which a path of one or two reference fields leads to a record, page by page. */
export const createReferrers = (unitOfWork: UnitOfWork, storageOf: StorageOf) => {
  async function* direct(stored: Stored, field: string, id: number, unchanged: Unchanged) {
    const { collection, storage } = stored
    for await (const page of matching(unitOfWork, storage, refersTo(collection, field, id))) {
      yield page.length === 0 ? page : await unchanged(collection.name, page)
    }
  }

  async function* referrers(
    stored: Stored,
    path: readonly Hop[],
    id: number,
    unchanged: Unchanged,
  ): AsyncGenerator<readonly StoredRecord[]> {
    const [first, second] = path
    if (first === undefined) return
    if (second === undefined) {
      yield* direct(stored, first.field, id, unchanged)
      return
    }
    const storage = await unitOfWork.read((tx) => storageOf(tx, first.target))
    if (storage === null || typeof storage === 'string') return
    for await (const page of direct({ collection: storage.collection, storage }, second.field, id, unchanged)) {
      for (const between of page) yield* direct(stored, first.field, between.id, unchanged)
    }
  }

  return referrers
}
