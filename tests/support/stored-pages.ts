import type { Store, Tx } from '../../src/application/ports/persistence.ts'
import type { RecordQuery } from '../../src/application/ports/records.ts'
import type { Collection } from '../../src/domain/collection.ts'
import { AppError } from '../../src/domain/errors.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { NewRecord } from '../../src/domain/record.ts'

export const PAGES: Collection = {
  name: 'pages',
  singular: 'page',
  description: 'Pages',
  fields: {
    title: { type: 'string', maxLength: 100 },
    slug: { type: ['string', 'null'], maxLength: 100 },
    parent: { type: ['integer', 'null'], 'x-ref': 'pages' },
    related: { type: 'array', items: { type: 'integer' }, 'x-ref': 'pages' },
    data: { type: 'object' },
  },
  required: ['title'],
  sorts: [],
  search: ['title'],
  indexes: [{ fields: ['slug'], unique: true }, { fields: ['title'] }],
}

const EMPTY = { title: '', slug: null, parent: null, related: [], data: {} }

/** A page as it is inserted. */
export const draft = (fields: JsonObject, ownerId: number | null = 1, createdAt = 1): NewRecord => ({
  ...EMPTY,
  ...fields,
  ...{ ownerId, version: 1, createdAt, updatedAt: createdAt },
})

export const query = {
  size: 100,
  sort: { field: 'id', descending: false },
  from: { page: 1 },
  ownerId: null,
  text: null,
  createdAfter: null,
  createdBefore: null,
} as const satisfies RecordQuery

/** How an error of the core describes itself. */
export const faultOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => (error instanceof AppError ? { code: error.code, faults: error.faults } : error),
  )

/** A collection of pages in a store, and what can be done with its records. */
export const openPages = async (open: () => Promise<Store>, collection = PAGES) => {
  const store = await open()
  const stored = await store.write((tx) => tx.collections.insert(collection, 1))
  const inTx = <T>(work: (records: ReturnType<Tx['records']>) => Promise<T>) =>
    store.write((tx) => work(tx.records(stored)))
  const insert = (fields: JsonObject, ownerId: number | null = 1, createdAt = 1) =>
    inTx((records) => records.insert(draft(fields, ownerId, createdAt)))
  const find = (id: number, as = stored) => store.read((tx) => tx.records(as).findById(id))
  const list = (part: Partial<RecordQuery>, as = stored) =>
    store.read((tx) => tx.records(as).list({ ...query, ...part }))
  return { store, stored, inTx, insert, find, list }
}
