import type { StoredCollection, StoredDefinition, StoredIndex } from '../../application/ports/collections.ts'
import { type Collection, FIRST_FORM } from '../../domain/collection.ts'
import { schemasOf } from '../../domain/definition-keywords.ts'
import { isEqualJson } from '../../domain/merge-patch.ts'
import type { Instant } from '../../domain/user.ts'

/** All indexes of a collection, those of its pending definition included. */
export const allIndexesOf = ({ indexes, pending }: StoredCollection): readonly StoredIndex[] => [
  ...indexes,
  ...(pending?.indexes ?? []),
]

/** A new collection, whose indexes have no ids yet. */
export const newCollection = (collection: Collection, epoch: string, now: Instant): Omit<StoredCollection, 'id'> => ({
  collection,
  version: 1,
  epoch,
  shape: 1,
  indexes: [],
  pending: null,
  deletions: { count: 0, unfinished: [], clearedFields: [] },
  createdAt: now,
  updatedAt: now,
})

const isSameForm = (one: StoredDefinition, other: StoredDefinition): boolean =>
  one.shape === other.shape && isEqualJson(schemasOf(one.collection.fields), schemasOf(other.collection.fields))

const formOf = (stored: StoredDefinition, next: StoredDefinition): Pick<Collection, 'form'> => {
  const { form } = stored.collection
  if (!isSameForm(stored, next)) return { form: (form ?? FIRST_FORM) + 1 }
  return form === undefined ? {} : { form }
}

/** The collection with its pending definition as its definition, and a new version. */
export const activated = (stored: StoredCollection, epoch: string, now: Instant): StoredCollection => {
  const { pending, version } = stored
  if (pending === null) throw new Error('no definition is being prepared')
  const { shape, indexes } = pending
  const collection = { ...pending.collection, ...formOf(stored, pending) }
  return { ...stored, collection, shape, indexes, version: version + 1, epoch, updatedAt: now, pending: null }
}
