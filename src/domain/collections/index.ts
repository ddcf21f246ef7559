import type { Collection } from '../collection.ts'
import { ITEMS } from './items.ts'

/** Every collection that is defined in code. No other code refers to one by name. */
export const COLLECTIONS = [ITEMS] as const satisfies readonly Collection[]

export const collectionNamed = (name: string): Collection | null =>
  COLLECTIONS.find((collection: Collection) => collection.name === name) ?? null
