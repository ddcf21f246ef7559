import type { Store } from '../../src/application/ports/persistence.ts'
import type { RecordQuery } from '../../src/application/ports/records.ts'
import type { Draft } from '../../src/domain/collection.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { newRecord } from '../../src/domain/record.ts'

/** The first page of the items of the first user, the oldest first. */
const all = {
  size: 100,
  sort: { field: 'created_at', descending: false },
  from: { page: 1 },
  ownerId: 1,
  text: null,
  createdAfter: null,
  createdBefore: null,
} as const satisfies RecordQuery

/** Stores an item. */
export const insert = (store: Store, draft: Draft<typeof ITEMS>, ownerId = 1, now = 1) =>
  store.write((tx) => tx.records('items').insert(newRecord(ITEMS, draft, ownerId, now)))

/** A page of items. */
export const list = (store: Store, query: Partial<RecordQuery>) =>
  store.read((tx) => tx.records('items').list({ ...all, ...query }))

/** The titles of a page of items. */
export const titles = async (store: Store, query: Partial<RecordQuery>) =>
  (await list(store, query)).items.map(({ title }) => title)
