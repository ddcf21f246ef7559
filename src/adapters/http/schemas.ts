import { Kind, Type, TypeRegistry } from '@sinclair/typebox'
import { type TSchema, t } from 'elysia'
import { DAY_MS } from '../../domain/expression-time.ts'
import { isText, isTextWithoutNul, type Length } from '../../domain/text.ts'
import type { Instant } from '../../domain/user.ts'
import { integer } from './integer.ts'
import { HttpProblem } from './problems.ts'

interface TextOptions {
  readonly accepts: (text: string) => boolean
  /** The end of the message about a wrong value. */
  readonly expects: string
  /** Replaces the schema in the document. */
  readonly openapi: Readonly<Record<string, unknown>>
}

TypeRegistry.Set<TextOptions>('Text', ({ accepts }, value) => typeof value === 'string' && accepts(value))

/**
 * Text that a function accepts. TypeBox's own strings are not safe for hostile input: to list faults, it runs patterns
 * on text of any length, even if `maxLength` has already refused it.
 */
export const text = (options: TextOptions) => Type.Unsafe<string>({ [Kind]: 'Text', type: 'string', ...options })

/**
 * Text with a number of characters (code points), as in JSON Schema; TypeBox's own `maxLength` counts UTF-16 code
 * units.
 */
export const characters = (length: Length, openapi: Readonly<Record<string, unknown>> = {}) =>
  text({
    accepts: (value) => isText(value, length),
    expects: `${length.minLength ?? 0} to ${length.maxLength} characters`,
    openapi: { type: 'string', ...length, ...openapi },
  })

/** As {@link characters}, without NUL, which not every database can store. */
export const textWithoutNul = (length: Length, openapi: Readonly<Record<string, unknown>> = {}) =>
  text({
    accepts: (value) => isTextWithoutNul(value, length),
    expects: `up to ${length.maxLength} characters, none of them NUL`,
    openapi: { type: 'string', ...length, pattern: '^[^\\u0000]*$', ...openapi },
  })

/** An integer in a query or a path: only digits, so `0x10` and `1e3` are invalid. */
export const integerText = (
  pattern: RegExp,
  minimum: number,
  maximum: number,
  about: { readonly description?: string; readonly default?: number; readonly examples?: readonly number[] } = {},
) =>
  text({
    accepts: (value) => pattern.test(value),
    expects: `an integer from ${minimum} to ${maximum}`,
    openapi: { type: 'integer', minimum, maximum, ...about },
  })

const MAX_ID = 999_999_999_999_999
const ID = /^[1-9][0-9]{0,14}$/

/** An id in a query or a path. */
export const IdText = integerText(ID, 1, MAX_ID, { description: 'The `id` from a response', examples: [1] })

export const IdParams = t.Object({ id: IdText })

/** Whether the `id` of a path is valid; an invalid one is refused by validation. */
export const hasId = (params: Readonly<Record<string, string>>): params is { readonly id: string } =>
  ID.test(params.id ?? '')

/** An id in a response. */
export const Id = integer({ minimum: 1, examples: [1] })

/** RFC 3339, UTC, with milliseconds. */
const TIME = { type: 'string', format: 'date-time', examples: ['2026-01-31T09:30:00.000Z'] }

/** A time in a response. */
export const Timestamp = t.String({ openapi: TIME })

/** A time in a query, which {@link parseTimestamp} reads. */
export const TimestampText = t.String({ maxLength: 100, openapi: TIME })

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/i

const MINUTE_MS = 60_000

/** Milliseconds since 1970 at the beginning of a day; NaN if the day does not exist. */
const startOfDay = (year: number, month: number, day: number): number => {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : Number.NaN
}

/** The whole milliseconds before and after a time, because stored times are whole milliseconds. */
export interface InstantRange {
  readonly floor: Instant
  readonly ceiling: Instant
}

/** Null for what is not RFC 3339 (section 5.6). A leap second lies between the milliseconds around it. */
const instantsOf = (text: string): InstantRange | null => {
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour = '0', offsetMinute = '0'] =
    RFC_3339.exec(text) ?? []
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return null
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -1 : 1)
  const start = startOfDay(Number(year), Number(month), Number(day))
  const minuteStart = start + (Number(hour) * 60 + Number(minute) - offset) * MINUTE_MS
  if (Number.isNaN(minuteStart)) return null
  if (second === '60') {
    const end = minuteStart + MINUTE_MS
    return end % DAY_MS === 0 ? { floor: end - 1, ceiling: end } : null
  }
  const floor = minuteStart + Number(second) * 1_000 + Number(fraction.slice(0, 3).padEnd(3, '0'))
  return { floor, ceiling: /[1-9]/.test(fraction.slice(3)) ? floor + 1 : floor }
}

/** Throws `validation_failed` if the text is not RFC 3339 or the day does not exist. */
export const parseTimestamp = (text: string, pointer: string): InstantRange => {
  const instants = instantsOf(text)
  if (instants !== null) return instants
  const errors = [{ in: 'query', pointer, detail: 'Expected a time as in RFC 3339' }] as const
  throw new HttpProblem('validation_failed', 'The query does not have the expected form', { errors })
}

export const choiceOf = <const T extends string>(
  values: readonly T[],
  about: {
    readonly title?: string
    readonly description?: string
    readonly default?: T
    readonly examples?: readonly T[]
  } = {},
) =>
  t.Union(
    values.map((value) => t.Literal(value)),
    { expects: `one of ${values.join(', ')}`, openapi: { type: 'string', enum: values, ...about } },
  ) as TSchema & { static: T }

/** Query parameters that are checked; all others are ignored. */
export const queryOf = <T extends Parameters<typeof t.Object>[0]>(properties: T) =>
  t.Object(properties, { additionalProperties: true })

/**
 * A body with these properties and no others. `title` is its name in the document; `examples` replace the one derived
 * from the properties' examples.
 */
export const body = <T extends Parameters<typeof t.Object>[0]>(
  title: string,
  properties: T,
  about: { readonly description?: string; readonly examples?: readonly object[] } = {},
) => t.Object(properties, { title, ...about, additionalProperties: false })

export const NoContent = t.Void({ description: 'Done; no content' })

export const NotModified = t.Void({ description: 'The version you have is still current' })
