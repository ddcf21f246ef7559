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

const utf8 = new TextEncoder()
const double = new DataView(new ArrayBuffer(NUMBER_BYTES))

/** As bytes that compare like the numbers. */
const numberBytes = (value: number): Uint8Array => {
  // Negative zero equals zero.
  double.setFloat64(0, value === 0 ? 0 : value)
  const high = double.getUint32(0)
  if (high >= 0x80000000) {
    double.setUint32(0, ~high >>> 0)
    double.setUint32(4, ~double.getUint32(4) >>> 0)
  } else double.setUint32(0, (high | 0x80000000) >>> 0)
  return new Uint8Array(double.buffer.slice(0))
}

const escaped = (text: string): Uint8Array => {
  const bytes = utf8.encode(text)
  if (!bytes.includes(NUL)) return bytes
  return Uint8Array.from([...bytes].flatMap((byte) => (byte === NUL ? [NUL, LAST] : [byte])))
}

const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const scalarBytes = (value: Scalar): readonly Uint8Array[] => {
  if (value === null) return [Uint8Array.of(TAG.null)]
  if (typeof value === 'boolean') return [Uint8Array.of(value ? TAG.true : TAG.false)]
  if (typeof value === 'number') return [Uint8Array.of(TAG.number), numberBytes(value)]
  return [Uint8Array.of(TAG.string), escaped(value), Uint8Array.of(NUL)]
}

/** Values as bytes that compare like the values, one after the other. */
export const keyOf = (values: readonly Scalar[]): Uint8Array => concat(values.flatMap(scalarBytes))

/** The keys that begin with these values: from `low`, before `high`. */
export const rangeOf = (values: readonly Scalar[]): { readonly low: Uint8Array; readonly high: Uint8Array } => {
  const low = keyOf(values)
  return { low, high: concat([low, Uint8Array.of(LAST)]) }
}

/** The end of the keys that begin with these values; also the beginning of those that follow. */
export const afterKeys = (values: readonly Scalar[]): Uint8Array => rangeOf(values).high

/** Where the values of one type after `values` begin and end. */
export const typeRangeOf = (
  values: readonly Scalar[],
  type: 'number' | 'string',
): { readonly low: Uint8Array; readonly high: Uint8Array } => {
  const prefix = keyOf(values)
  return { low: concat([prefix, Uint8Array.of(TAG[type])]), high: concat([prefix, Uint8Array.of(TAG[type] + 1)]) }
}

/** The keys whose next value after `values` is a string that begins with `text`. */
export const prefixRangeOf = (
  values: readonly Scalar[],
  text: string,
): { readonly low: Uint8Array; readonly high: Uint8Array } => {
  const low = concat([keyOf(values), Uint8Array.of(TAG.string), escaped(text)])
  // A byte of UTF-8 is below 0xf8.
  return { low, high: concat([low, Uint8Array.of(LAST)]) }
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
  readonly key: Uint8Array
  /** Whether no other record may have it: null equals nothing. */
  readonly isUnique: boolean
}

const referenceKeys = (value: Json | undefined): readonly IndexKey[] => {
  const ids = Array.isArray(value) ? new Set<Json>(value) : [value]
  const keys: IndexKey[] = []
  for (const id of ids) keys.push({ key: keyOf([typeof id === 'number' ? id : null]), isUnique: false })
  return keys
}

/** The entries of a record in an index: one, or one for each reference. */
export const indexKeysOf = (
  { fields }: Collection,
  index: StoredIndex,
  record: Readonly<Record<string, Json | undefined>>,
): readonly IndexKey[] => {
  const [first = ''] = index.fields
  if (index.isReference) return referenceKeys(record[first])
  const values = index.fields.map((name) => scalarOf(fields[name], record[name]))
  return [{ key: keyOf(values), isUnique: index.unique && !values.includes(null) }]
}

/** -1, 0 or 1, as both engines compare keys. */
export const compareBytes = (one: Uint8Array, other: Uint8Array): number => Buffer.compare(one, other)
