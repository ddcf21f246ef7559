import { type Collection, eventName, type FieldSchema, isNullable, type RecordChange, typeOf } from './collection.ts'
import { AppError } from './errors.ts'
import type { NewEvent } from './event.ts'
import { isEqualJson, isJsonObject, type Json, type JsonObject, mergePatch } from './merge-patch.ts'
import type { Instant } from './user.ts'

/**
 * A record of a collection: the members that every record has, next to the collection's fields under their own names.
 */
export interface StoredRecord {
  readonly id: number
  /** Null for a record that nobody owns. */
  readonly ownerId: number | null
  /** Increases with each change; the first is 1. */
  readonly version: number
  /** The epoch in which this version was written. Epoch and version together are unique, also after a restore. */
  readonly epoch: string
  readonly createdAt: Instant
  readonly updatedAt: Instant
  readonly [field: string]: Json
}

/** The repository sets the epoch. */
export type NewRecord = Omit<StoredRecord, 'id' | 'epoch'> &
  Pick<StoredRecord, 'ownerId' | 'version' | 'createdAt' | 'updatedAt'> & {
    /** Of a deleted record that is restored. */
    readonly id?: number
  }

/** A change of a few bytes returns a whole record, so the response of a batch is limited too. */
export const BATCH_LIMITS = { minOperations: 1, maxOperations: 100, maxCharacters: 1_048_576 } as const

const EMPTY: Readonly<Record<ReturnType<typeof typeOf>, Json>> = {
  string: '',
  integer: 0,
  number: 0,
  boolean: false,
  object: {},
  array: [],
}

/** The value of a field that has not been set. */
const emptyValue = (field: FieldSchema): Json => {
  if (field.default !== undefined) return field.default
  return isNullable(field) ? null : EMPTY[typeOf(field)]
}

/** UTF-8 bytes of one UTF-16 code unit. */
const MAX_BYTES_PER_UNIT = 3

const checkSize = (name: string, { 'x-max-bytes': maxBytes }: FieldSchema, value: Json): void => {
  if (maxBytes === undefined) return
  const text = JSON.stringify(value)
  if (text.length * MAX_BYTES_PER_UNIT <= maxBytes || new TextEncoder().encode(text).length <= maxBytes) return
  throw new AppError('data_too_large', `${name} is larger than ${maxBytes} bytes`, { field: name })
}

/** The approximate size of a record in a response. */
export const charactersOf = ({ fields }: Collection, record: StoredRecord): number => {
  let characters = 0
  for (const name in fields) {
    const value = record[name]
    characters += typeof value === 'string' ? value.length : value === null ? 0 : JSON.stringify(value).length
  }
  return characters
}

/** `draft` has passed the schema of the collection. Throws `data_too_large`. */
export const newRecord = (
  { fields }: Collection,
  draft: JsonObject,
  ownerId: number | null,
  now: Instant,
): NewRecord => {
  const values: Record<string, Json> = {}
  for (const name in fields) {
    const field = fields[name]
    if (field === undefined) continue
    const value = draft[name] ?? emptyValue(field)
    checkSize(name, field, value)
    values[name] = value
  }
  return { ...values, ownerId, version: 1, createdAt: now, updatedAt: now }
}

/** An object is merged (RFC 7396), and null empties it; any other value replaces the previous one. */
const patchedValue = (field: FieldSchema, before: Json | undefined, patch: Json): Json => {
  if (typeOf(field) !== 'object') return patch
  if (patch === null) return emptyValue(field)
  return isJsonObject(patch) ? mergePatch(isJsonObject(before) ? before : {}, patch) : patch
}

/**
 * The record after a JSON Merge Patch (RFC 7396) that has passed the schema of the collection; the same one when nothing
 * changes. Throws `data_too_large`.
 */
export const patchedRecord = (
  { fields }: Collection,
  record: StoredRecord,
  patch: JsonObject,
  now: Instant,
): StoredRecord => {
  const changed: Record<string, Json> = {}
  for (const [name, value] of Object.entries(patch)) {
    const field = fields[name]
    if (field === undefined) continue
    const before = record[name]
    const after = patchedValue(field, before, value)
    if (before !== undefined && isEqualJson(after, before)) continue
    checkSize(name, field, after)
    changed[name] = after
  }
  if (Object.keys(changed).length === 0) return record
  return { ...record, ...changed, version: record.version + 1, updatedAt: now }
}

/** The fields of a record, as the schema of its collection describes them: without those that have no value. */
export const ownFields = ({ fields }: Collection, record: Readonly<Record<string, Json>>): JsonObject => {
  const own: Record<string, Json> = {}
  for (const name in fields) {
    const field = fields[name]
    const value = record[name]
    if (field !== undefined && value !== undefined && (value !== null || isNullable(field))) own[name] = value
  }
  return own
}

/** A record with these fields. Those that have no value are null. */
export const withFields = <R extends Omit<StoredRecord, 'id' | 'epoch'>>(
  { fields }: Collection,
  record: R,
  own: JsonObject,
): R => {
  const copy = { ...record }
  const values: Record<string, Json> = copy
  for (const name in fields) values[name] = own[name] ?? null
  return copy
}

/** The log's version of a record whose owner's account was removed: without any user content. */
export const erasedRecord = ({ fields }: Collection, record: StoredRecord): StoredRecord => ({
  ...record,
  ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, emptyValue(field)])),
})

/** Whether a record in the log is as {@link erasedRecord} leaves it. */
export const isErasedRecord = ({ fields }: Collection, record: Readonly<Record<string, Json>>): boolean =>
  Object.entries(fields).every(([name, field]) => isEqualJson(record[name] ?? null, emptyValue(field)))

type Author = Pick<NewEvent, 'actorId' | 'requestId' | 'sessionId' | 'createdAt'>

/** The log entry of a change to a record: the record after the change, or before it was deleted. */
export const recordEvent = (
  collection: Collection,
  change: RecordChange,
  record: StoredRecord,
  author: Author,
): NewEvent => ({
  ...author,
  kind: collection.name,
  event: eventName(collection, change),
  subjectId: record.id,
  ownerId: record.ownerId,
  data: record,
})

const DELETED: RecordChange = 'deleted'

/** Whether an event of this name means that its subject was deleted. */
export const isDeletion = (event: string): boolean => event.endsWith(`.${DELETED}`)
