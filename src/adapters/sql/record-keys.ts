import type { StoredIndex } from '../../application/ports/collections.ts'
import { type Collection, type FieldSchema, typeOf } from '../../domain/collection.ts'
import { parseTimestamp } from '../../domain/expression-time.ts'
import type { Json } from '../../domain/merge-patch.ts'

/** A value as an index compares it: a time as its number of milliseconds. */
export type Scalar = null | boolean | number | string

/**
 * The first byte of a value gives its type: null < false < true < numbers < strings. No byte of a tag is 0xff, which
 * ends a range, or 0x00, which ends a string.
 */
const TAG = { null: 0x10, false: 0x20, true: 0x21, number: 0x30, string: 0x40 } as const
const NUL = 0x00
/** Stands behind a NUL that is part of a string, and follows every continuation of a key. */
const LAST = 0xff

const NUMBER_BYTES = 8
const MAX_BYTES_PER_UNIT = 3

/** Where keys are built, to make only one copy of each. */
let scratch = Buffer.alloc(4_096)
/** The same bytes; copies of it take less time. */
let scratchBytes = new Uint8Array(scratch.buffer, scratch.byteOffset, scratch.length)
const double = new DataView(new ArrayBuffer(NUMBER_BYTES))

const makeRoom = (at: number, bytes: number): void => {
  if (at + bytes <= scratch.length) return
  const larger = Buffer.alloc(2 * (at + bytes))
  larger.set(scratch.subarray(0, at))
  scratch = larger
  scratchBytes = new Uint8Array(scratch.buffer, scratch.byteOffset, scratch.length)
}

/** As bytes that compare like the numbers. */
const writeNumber = (value: number, at: number): number => {
  makeRoom(at, NUMBER_BYTES)
  // Negative zero equals zero.
  double.setFloat64(0, value === 0 ? 0 : value)
  const high = double.getUint32(0)
  const low = double.getUint32(NUMBER_BYTES / 2)
  const isNegative = high >= 0x80000000
  scratch.writeUInt32BE((isNegative ? ~high : high | 0x80000000) >>> 0, at)
  scratch.writeUInt32BE((isNegative ? ~low : low) >>> 0, at + NUMBER_BYTES / 2)
  return at + NUMBER_BYTES
}

const writeText = (text: string, at: number): number => {
  makeRoom(at, 2 * MAX_BYTES_PER_UNIT * text.length + 1)
  const end = at + scratch.write(text, at, 'utf8')
  if (!text.includes('\0')) return end
  let to = at
  for (const byte of new Uint8Array(scratch.subarray(at, end))) {
    scratch[to++] = byte
    if (byte === NUL) scratch[to++] = LAST
  }
  return to
}

const writeTag = (tag: number, at: number): number => {
  makeRoom(at, 1)
  scratch[at] = tag
  return at + 1
}

const writeScalar = (value: Scalar, at: number): number => {
  if (value === null) return writeTag(TAG.null, at)
  if (typeof value === 'boolean') return writeTag(value ? TAG.true : TAG.false, at)
  if (typeof value === 'number') return writeNumber(value, writeTag(TAG.number, at))
  return writeTag(NUL, writeText(value, writeTag(TAG.string, at)))
}

const writeAll = (values: readonly Scalar[]): number => {
  let at = 0
  for (const value of values) at = writeScalar(value, at)
  return at
}

const written = (end: number): Uint8Array => scratchBytes.slice(0, end)

/** Values as bytes that compare like the values, one after the other. */
export const keyOf = (values: readonly Scalar[]): Uint8Array => written(writeAll(values))

interface KeyRange {
  readonly low: Uint8Array
  readonly high: Uint8Array
}

/** The end of the keys that begin with these values; also the beginning of those that follow. */
export const afterKeys = (values: readonly Scalar[]): Uint8Array => written(writeTag(LAST, writeAll(values)))

/** The keys that begin with these values: from `low`, before `high`. */
export const rangeOf = (values: readonly Scalar[]): KeyRange => ({ low: keyOf(values), high: afterKeys(values) })

/** Where the values of one type after `values` begin and end. */
export const typeRangeOf = (values: readonly Scalar[], type: 'number' | 'string'): KeyRange => ({
  low: written(writeTag(TAG[type], writeAll(values))),
  high: written(writeTag(TAG[type] + 1, writeAll(values))),
})

/** The keys whose next value after `values` is a string that begins with `text`. */
export const prefixRangeOf = (values: readonly Scalar[], text: string): KeyRange => {
  const write = () => writeText(text, writeTag(TAG.string, writeAll(values)))
  // No byte of UTF-8 is as large.
  return { low: written(write()), high: written(writeTag(LAST, write())) }
}

const isTime = (field: FieldSchema | undefined): boolean => field?.format === 'date-time'

/** The value of a field as an index compares it. What is neither scalar nor set counts as null. */
export const scalarOf = (field: FieldSchema | undefined, value: Json | undefined): Scalar => {
  if (typeof value === 'string') {
    if (!isTime(field)) return value
    return parseTimestamp(value) ?? value
  }
  return typeof value === 'number' || typeof value === 'boolean' ? value : null
}

type Fields = Readonly<Record<string, Json | undefined>>

/** What tells whether entries of one definition serve another: the same for equal entries. */
export const layoutOf = ({ fields }: Collection, index: Omit<StoredIndex, 'id'>): string =>
  JSON.stringify([
    index.unique,
    index.isReference,
    index.fields.map((name) => {
      const field = fields[name]
      return [name, isTime(field), field !== undefined && typeOf(field) === 'array']
    }),
  ])

/** An entry of an index. */
export interface IndexKey {
  readonly index: StoredIndex
  readonly key: Uint8Array
  /** Whether no other record may have it: null equals nothing. */
  readonly isUnique: boolean
}

const referenceKey = (index: StoredIndex, id: Json | undefined): IndexKey => {
  const key = written(writeScalar(typeof id === 'number' ? id : null, 0))
  return { index, key, isUnique: false }
}

const fieldsKey = ({ fields }: Collection, index: StoredIndex, record: Fields): IndexKey => {
  let end = 0
  let hasNull = false
  for (const name of index.fields) {
    const value = scalarOf(fields[name], record[name])
    hasNull ||= value === null
    end = writeScalar(value, end)
  }
  return { index, key: written(end), isUnique: index.unique && !hasNull }
}

/** The entries of a record in an index: one, or one for each reference. */
export const indexKeysOf = (collection: Collection, index: StoredIndex, record: Fields): readonly IndexKey[] => {
  if (!index.isReference) return [fieldsKey(collection, index, record)]
  const value = record[index.fields[0] ?? '']
  if (!Array.isArray(value)) return [referenceKey(index, value)]
  return [...new Set<Json>(value)].map((id) => referenceKey(index, id))
}

/** Negative, zero or positive, as both engines compare keys. */
export const compareBytes = (one: Uint8Array, other: Uint8Array): number => Buffer.compare(one, other)
