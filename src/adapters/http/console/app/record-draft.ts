import { kindOf } from './definition-draft.ts'
import { mergePatchBetween } from './merge-patch.ts'
import type { Fault, FieldOf, RecordBody } from './types.ts'

/**
 * The value of a field in a form: text where people type, true, false or null for a boolean, ids for references.
 */
export type Value = string | boolean | null | readonly number[]
export type Draft = Readonly<Record<string, Value | undefined>>

const pad = (value: number): string => String(value).padStart(2, '0')

/** A time of the server as `datetime-local` takes it, in the reader's zone. */
export const toLocalTime = (text: string): string => {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) return text
  const date = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`
  return `${date}T${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`
}

const draftValueOf = ({ schema }: FieldOf, value: unknown): Value => {
  const kind = kindOf(schema)
  if (kind === 'boolean') return typeof value === 'boolean' ? value : null
  if (kind === 'reference') return typeof value === 'number' ? [value] : []
  if (kind === 'references') return Array.isArray(value) ? value.filter((id) => typeof id === 'number') : []
  if (value === null || value === undefined) return ''
  if (kind === 'object' || kind === 'array') return JSON.stringify(value, null, 2)
  if (kind === 'date-time') return toLocalTime(String(value))
  if (kind === 'choice') return JSON.stringify(value)
  return String(value)
}

/** The draft for a stored record, or for a new one with its defaults. */
export const draftOf = (fields: readonly FieldOf[], record: RecordBody | null): Draft =>
  Object.fromEntries(
    fields.map((field) => [
      field.name,
      draftValueOf(field, record === null ? field.schema.default : record[field.name]),
    ]),
  )

/** A choice as people read it. */
export const choiceText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** A number as typed; a text that is none, or that would become another number, stays a text, for the server to refuse. */
const numberOf = (text: string): unknown => {
  const value = Number(text)
  const isExact =
    Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value) || /[.e]/i.test(text))
  return text.trim() === '' || !isExact ? text : value
}

/** The value that the server takes. Throws for text that is not JSON where it has to be. */
const sentOf = ({ schema, required }: FieldOf, value: Value | undefined): unknown => {
  const kind = kindOf(schema)
  if (Array.isArray(value)) return kind === 'references' ? value : (value[0] ?? null)
  if (typeof value !== 'string') return value ?? null
  // An empty text is a value where one is required, and no value elsewhere.
  if (value === '') return required && kind === 'text' ? '' : null
  if (kind === 'integer' || kind === 'number') return numberOf(value)
  if (kind === 'object' || kind === 'array' || kind === 'choice') return JSON.parse(value)
  if (kind === 'date-time') {
    const time = new Date(value)
    return Number.isNaN(time.getTime()) ? value : time.toISOString()
  }
  return value
}

const isSame = (one: Value | undefined, other: Value | undefined): boolean =>
  JSON.stringify(one ?? null) === JSON.stringify(other ?? null)

/** The draft over a newer version of its record: what was typed stays, everything else is as stored now. */
export const rebased = (
  fields: readonly FieldOf[],
  draft: Draft,
  former: RecordBody | null,
  record: RecordBody | null,
): Draft => {
  const [before, after] = [draftOf(fields, former), draftOf(fields, record)]
  return Object.fromEntries(
    fields.map(({ name }) => [name, isSame(draft[name], before[name]) ? after[name] : draft[name]]),
  )
}

/** What of a draft differs from the stored record, or from the defaults of a new one; null if nothing does. */
export const typedOf = (fields: readonly FieldOf[], draft: Draft, record: RecordBody | null): Draft | null => {
  const before = draftOf(fields, record)
  const typed = fields.filter(({ name }) => !isSame(draft[name], before[name]))
  return typed.length === 0 ? null : Object.fromEntries(typed.map(({ name }) => [name, draft[name]]))
}

/** The merge patch of a stored record, or the fields of a new one that have a value. */
export const changesOf = (fields: readonly FieldOf[], draft: Draft, record: RecordBody | null) => {
  const before = draftOf(fields, record)
  const values: Record<string, unknown> = {}
  const faults: Omit<Fault, 'in'>[] = []
  for (const field of fields) {
    const { name } = field
    if (record !== null && isSame(draft[name], before[name])) continue
    try {
      const sent = sentOf(field, draft[name])
      if (record !== null) values[name] = mergePatchBetween(record[name], sent)
      else if (sent !== null) values[name] = sent
    } catch (error) {
      faults.push({ pointer: `/${name}`, detail: error instanceof Error ? error.message : String(error) })
    }
  }
  return { values, faults }
}
