import { type TSchema, t } from 'elysia'
import { type Length, textPattern } from '../../domain/user.ts'
import { HttpProblem } from './problems.ts'

/** `expects` ends the message about a wrong value; `openapi` stands for the schema in the document. */
const text = (pattern: string, expects: string, openapi: Readonly<Record<string, unknown>>) =>
  t.String({ pattern, expects, openapi })

/** Text of so many characters: TypeBox's own `maxLength` counts UTF-16 code units, JSON Schema's does not. */
export const characters = (length: Length, openapi: Readonly<Record<string, unknown>> = {}) =>
  text(textPattern(length), `${length.minLength ?? 0} to ${length.maxLength} characters`, {
    type: 'string',
    ...length,
    ...openapi,
  })

/** As {@link characters}, without NUL, which not every database can hold. */
export const textWithoutNul = (length: Length, openapi: Readonly<Record<string, unknown>> = {}) =>
  text(`(?=^[^\\u0000]*$)${textPattern(length)}`, `up to ${length.maxLength} characters, none of them NUL`, {
    type: 'string',
    ...length,
    pattern: '^[^\\u0000]*$',
    ...openapi,
  })

/** An integer in a query or a path: digits alone, so that `0x10` and `1e3` are none. */
export const integerText = (
  pattern: string,
  minimum: number,
  maximum: number,
  about: { readonly description?: string; readonly default?: number } = {},
) => text(pattern, `an integer from ${minimum} to ${maximum}`, { type: 'integer', minimum, maximum, ...about })

const MOST_ID = 999_999_999_999_999

/** An id in a query or a path. */
export const IdText = integerText('^[1-9][0-9]{0,14}$', 1, MOST_ID, { description: 'As `id` in answers' })

export const IdParams = t.Object({ id: IdText })

/** Whether the `id` of a path is one; what is none is refused with the rest of what was sent. */
export const hasId = (params: Readonly<Record<string, string>>): params is { readonly id: string } =>
  /^[1-9][0-9]{0,14}$/.test(params.id ?? '')

/** RFC 3339, UTC, with milliseconds. */
export const Timestamp = t.String({ openapi: { type: 'string', format: 'date-time' } })

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/i

/** A time in a query. What the pattern of a schema cannot see {@link parseTimestamp} does: 31 February is no day. */
export const TimestampText = t.String({ maxLength: 40, openapi: { type: 'string', format: 'date-time' } })

/** Milliseconds since 1970. Throws `validation_failed` for what is not RFC 3339 (section 5.6) or no such day. */
export const parseTimestamp = (text: string, pointer: string): number => {
  const [, year, month, day] = RFC_3339.exec(text)?.map(Number) ?? []
  const isDay = day !== undefined && day <= new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate()
  const instant = isDay ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(instant)) return instant
  const errors = [{ in: 'query', pointer, detail: 'Expected a time as in RFC 3339' }] as const
  throw new HttpProblem('validation_failed', 'The query does not have the expected form', { errors })
}

export const choiceOf = <const T extends string>(
  values: readonly T[],
  about: { readonly description?: string; readonly default?: T } = {},
) =>
  t.Union(
    values.map((value) => t.Literal(value)),
    { expects: `one of ${values.join(', ')}`, openapi: { type: 'string', enum: values, ...about } },
  ) as TSchema & { static: T }

/** A body that takes these properties and no others. `title` names it in the document. */
export const body = <T extends Parameters<typeof t.Object>[0]>(title: string, properties: T) =>
  t.Object(properties, { title, additionalProperties: false })

export const NoContent = t.Void({ description: 'Done; no content' })
