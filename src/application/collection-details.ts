import type { Collection } from '../domain/collection.ts'
import { FIRST_EPOCH } from '../domain/epoch.ts'
import { notFound } from '../domain/errors.ts'
import { isCounted, type Page, type PageRequest, skippedRowCount } from '../domain/page.ts'
import type { Instant } from '../domain/user.ts'
import type { Catalog } from './catalog.ts'
import type { StoredCollection } from './ports/collections.ts'
import type { ReadTx, UnitOfWork } from './ports/persistence.ts'

/** A collection as admins see it. */
export interface CollectionDetails {
  readonly collection: Collection
  /** Whether it is defined in code, and cannot be changed. */
  readonly isBuiltIn: boolean
  /** 1 for one defined in code. */
  readonly version: number
  readonly epoch: string
  /** Null for one defined in code. */
  readonly createdAt: Instant | null
  readonly updatedAt: Instant | null
  /** The number of its records. */
  readonly records: number
}

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
}

const byName = (one: { readonly name: string }, other: { readonly name: string }): number =>
  one.name < other.name ? -1 : 1

interface Known {
  readonly name: string
  readonly collection: Collection
  readonly stored: StoredCollection | null
}

/** Reads definitions for admins. */
export const createDescriptions = ({ catalog, unitOfWork }: Deps) => {
  const describe = async (tx: ReadTx, { collection, stored }: Omit<Known, 'name'>): Promise<CollectionDetails> => ({
    collection,
    isBuiltIn: stored === null,
    version: stored?.version ?? 1,
    epoch: stored?.epoch ?? FIRST_EPOCH,
    createdAt: stored?.createdAt ?? null,
    updatedAt: stored?.updatedAt ?? null,
    records: await tx.collections.countRecords(stored ?? collection.name),
  })

  const builtIn: readonly Known[] = catalog.builtIn.map((collection) => ({
    name: collection.name,
    collection,
    stored: null,
  }))

  const find = async (tx: ReadTx, name: string): Promise<CollectionDetails> => {
    const known = builtIn.find((each) => each.name === name)
    if (known !== undefined) return describe(tx, known)
    const stored = await tx.collections.find(name)
    if (stored === null) throw notFound('Collection')
    return describe(tx, stored && { collection: stored.collection, stored })
  }

  /** There are few enough to sort them all. */
  const list = async (tx: ReadTx, query: PageRequest<'name'>): Promise<Page<CollectionDetails>> => {
    const { size, sort, from } = query
    const stored = (await tx.collections.all()).map((each) => ({
      name: each.collection.name,
      collection: each.collection,
      stored: each,
    }))
    const sorted = [...builtIn, ...stored].sort(byName)
    if (sort.descending) sorted.reverse()
    const isAfter = ({ name }: Known, key: string) => (sort.descending ? name < key : name > key)
    const rest =
      'after' in from
        ? sorted.filter((each) => isAfter(each, String(from.after.key)))
        : sorted.slice(skippedRowCount(query))
    const page = rest.slice(0, size)
    const items: CollectionDetails[] = []
    for (const each of page) items.push(await describe(tx, each))
    const last = page.at(-1)
    return {
      items,
      total: isCounted(query) ? sorted.length : null,
      next: last === undefined || rest.length <= size ? null : { key: last.name, id: last.stored?.id ?? 0 },
    }
  }

  return {
    describe: (stored: StoredCollection) =>
      unitOfWork.read((tx) => describe(tx, { collection: stored.collection, stored })),
    get: (name: string) => unitOfWork.read((tx) => find(tx, name)),
    list: (query: PageRequest<'name'>) => unitOfWork.read((tx) => list(tx, query)),
  }
}
