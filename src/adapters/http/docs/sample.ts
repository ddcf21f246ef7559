import { type FieldSchema, isNullable, typeOf } from '../../../domain/collection.ts'
import type { Json } from '../../../domain/merge-patch.ts'

const FORMATTED: Readonly<Record<string, string>> = {
  'date-time': '2026-01-31T09:30:00.000Z',
  date: '2026-01-31',
  time: '09:30:00Z',
  email: 'ann@example.com',
  uri: 'https://example.com/',
  uuid: '9b2d6a0e-4c1f-4d53-8f0b-2f6f0c7e1a94',
}

const TEXT = 'text'
const MAX_SAMPLE_LENGTH = 100
const MAX_SAMPLE_ITEMS_COUNT = 3

const textSample = ({ format, pattern, minLength = 0, maxLength = TEXT.length }: FieldSchema): Json | undefined => {
  if (format !== undefined) return FORMATTED[format]
  // Text that matches any pattern cannot be made up.
  if (pattern !== undefined || minLength > MAX_SAMPLE_LENGTH) return undefined
  return TEXT.slice(0, maxLength).padEnd(minLength, '.')
}

const numberSample = (field: FieldSchema): Json => {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf: step = 1 } = field
  if (minimum !== undefined && minimum > step) return Math.ceil(minimum / step) * step
  if (exclusiveMinimum !== undefined && exclusiveMinimum >= step)
    return (Math.floor(exclusiveMinimum / step) + 1) * step
  if (maximum !== undefined && maximum < step) return Math.floor(maximum / step) * step
  if (exclusiveMaximum !== undefined && exclusiveMaximum <= step) return (Math.ceil(exclusiveMaximum / step) - 1) * step
  return step
}

const arraySample = ({ items, minItems = 0, uniqueItems }: FieldSchema): Json | undefined => {
  if (items === undefined) return []
  const one = sampleOf(items)
  const count = Math.max(minItems, 1)
  if (one === undefined || count > MAX_SAMPLE_ITEMS_COUNT || (uniqueItems === true && count > 1)) {
    return minItems === 0 ? [] : undefined
  }
  return Array<Json>(count).fill(one)
}

const objectSample = ({ properties = {}, required = [] }: FieldSchema): Json | undefined => {
  const entries: (readonly [string, Json])[] = []
  for (const [name, field] of Object.entries(properties)) {
    const sample = sampleOf(field)
    if (sample !== undefined) entries.push([name, sample])
    else if (required.includes(name)) return undefined
  }
  return Object.fromEntries(entries)
}

/** An example of a value that the schema accepts; undefined if none is found. */
export const sampleOf = (field: FieldSchema): Json | undefined => {
  if (field.examples?.[0] !== undefined) return field.examples[0]
  if (field.const !== undefined) return field.const
  if (field.default !== undefined && field.default !== null) return field.default
  if (field.enum !== undefined) return field.enum[0]
  const sample = plainSampleOf(field)
  return sample === undefined && isNullable(field) ? null : sample
}

const plainSampleOf = (field: FieldSchema): Json | undefined => {
  switch (typeOf(field)) {
    case 'string':
      return textSample(field)
    case 'integer':
    case 'number':
      return numberSample(field)
    case 'boolean':
      return false
    case 'array':
      return arraySample(field)
    case 'object':
      return objectSample(field)
  }
}
