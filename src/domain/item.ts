import { AppError } from './errors.ts'
import { type JsonObject, mergePatch } from './merge-patch.ts'
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

/** Lengths count characters (code points); `data` is measured in bytes of its JSON text in UTF-8. */
export const ITEM_LIMITS = {
  title: { minLength: 1, maxLength: 200 },
  description: { maxLength: 10_000 },
  data: { maxBytes: 16_384 },
  batch: { minItems: 1, maxItems: 100 },
} as const

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

/** The item after a change. Throws `data_too_large`. */
export const patchedItem = (item: Item, { title, description, data }: ItemPatch, now: Instant): Item => ({
  ...item,
  title: title ?? item.title,
  description: description === undefined ? item.description : description,
  data: data === undefined ? item.data : checkedData(data === null ? {} : mergePatch(item.data, data)),
  version: item.version + 1,
  updatedAt: now,
})
