import { AppError } from './errors.ts'
import { isEqualJson, type JsonObject, mergePatch } from './merge-patch.ts'
import type { Instant } from './user.ts'

export interface Item {
  readonly id: number
  readonly ownerId: number
  readonly title: string
  readonly description: string | null
  readonly data: JsonObject
  /** Counts the changes; the first is 1. */
  readonly version: number
  /** In which this version was written: by both together it is told from any other, also after a restore. */
  readonly epoch: string
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

/** Whoever stores it knows the epoch. */
export type NewItem = Omit<Item, 'id' | 'epoch'>

/** What the log may say of an item whose owner's account was removed. */
export const erasedItem = (item: Item): Item => ({ ...item, title: '', description: null, data: {} })

/** Lengths count characters (code points); `data` is measured in bytes of its JSON text in UTF-8. */
export const ITEM_LIMITS = {
  title: { minLength: 1, maxLength: 200 },
  description: { maxLength: 10_000 },
  data: { maxBytes: 16_384 },
  /** A change of a few bytes answers a whole item: what a batch answers is limited, too. */
  batch: { minItems: 1, maxItems: 100, maxCharacters: 1_048_576 },
} as const

/** About what an item takes in an answer. */
export const charactersOf = ({ title, description, data }: Item): number =>
  title.length + (description?.length ?? 0) + JSON.stringify(data).length

export interface ItemDraft {
  readonly title: string
  readonly description?: string | null
  readonly data?: JsonObject
}

/** Named fields take their new value; `data` is merged by RFC 7396. */
export interface ItemPatch {
  readonly title?: string
  readonly description?: string | null
  readonly data?: JsonObject | null
}

const checkedData = (data: JsonObject): JsonObject => {
  const { maxBytes } = ITEM_LIMITS.data
  if (new TextEncoder().encode(JSON.stringify(data)).length <= maxBytes) return data
  throw new AppError('data_too_large', `data is larger than ${maxBytes} bytes`)
}

const patchedData = (data: JsonObject, patch: JsonObject | null): JsonObject =>
  patch === null ? {} : mergePatch(data, patch)

/** Throws `data_too_large`. */
export const newItem = (
  { title, description = null, data = {} }: ItemDraft,
  ownerId: number,
  now: Instant,
): NewItem => ({
  ownerId,
  title,
  description,
  data: checkedData(data),
  version: 1,
  createdAt: now,
  updatedAt: now,
})

/** The item after a change; the same one when nothing changes. Throws `data_too_large`. */
export const patchedItem = (item: Item, patch: ItemPatch, now: Instant): Item => {
  const { title = item.title, description = item.description } = patch
  const data = patch.data === undefined ? item.data : checkedData(patchedData(item.data, patch.data))
  const isSame = title === item.title && description === item.description && isEqualJson(data, item.data)
  return isSame ? item : { ...item, title, description, data, version: item.version + 1, updatedAt: now }
}
