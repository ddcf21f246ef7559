import type { StoredDefinition, StoredIndex } from '../../application/ports/collections.ts'
import { type Collection, referencesOf } from '../../domain/collection.ts'
import { layoutOf } from './record-keys.ts'

export type NewIndex = Omit<StoredIndex, 'id'>

/** The indexes that a definition needs: its own, and one for each reference. */
const wantedIndexes = (collection: Collection): readonly NewIndex[] => [
  ...(collection.indexes ?? []).map(({ fields, unique = false }) => ({ fields, unique, isReference: false })),
  ...referencesOf(collection).map(({ name }) => ({ fields: [name], unique: false, isReference: true })),
]

/**
 * For each index that a definition needs, the existing one with the same entries, or else what is to be created. If
 * records take another form, no entries stay the same.
 */
export const planIndexes = (
  collection: Collection,
  existing: StoredDefinition | null,
): readonly (StoredIndex | NewIndex)[] => {
  const known = new Map(
    existing?.indexes.map((index): [string, StoredIndex] => [layoutOf(existing.collection, index), index]),
  )
  const seen = new Set<string>()
  return wantedIndexes(collection).flatMap((index) => {
    const layout = layoutOf(collection, index)
    if (seen.has(layout)) return []
    seen.add(layout)
    return [known.get(layout) ?? index]
  })
}

/** The ids of indexes that one list has and the other lacks. */
export const indexesBeyond = (indexes: readonly StoredIndex[], others: readonly StoredIndex[]): readonly number[] =>
  indexes.map(({ id }) => id).filter((id) => !others.some((other) => other.id === id))
