import { type TSchema, t } from 'elysia'

/** `expects` ends the message about a wrong value; `openapi` stands for the schema in the document. */
const text = (pattern: string, expects: string, openapi: Readonly<Record<string, unknown>>) =>
  t.String({ pattern, expects, openapi })

/** An integer in a query or a path: digits alone, so that `0x10` and `1e3` are none. */
export const integerText = (
  pattern: string,
  minimum: number,
  maximum: number,
  about: { readonly description?: string; readonly default?: number } = {},
) => text(pattern, `an integer from ${minimum} to ${maximum}`, { type: 'integer', minimum, maximum, ...about })

const MOST_ID = 999_999_999_999_999

export const IdParams = t.Object({
  id: integerText('^[1-9][0-9]{0,14}$', 1, MOST_ID, { description: 'As `id` in answers' }),
})

/** RFC 3339, UTC, with milliseconds. */
export const Timestamp = t.String({ openapi: { type: 'string', format: 'date-time' } })

export const toTimestamp = (instant: number): string => new Date(instant).toISOString()

export const choiceOf = <const T extends string>(values: readonly T[], about: { readonly description?: string } = {}) =>
  t.Union(
    values.map((value) => t.Literal(value)),
    { expects: `one of ${values.join(', ')}`, openapi: { type: 'string', enum: values, ...about } },
  ) as TSchema & { static: T }

/** A body that takes these properties and no others. `title` names it in the document. */
export const body = <T extends Parameters<typeof t.Object>[0]>(title: string, properties: T) =>
  t.Object(properties, { title, additionalProperties: false })

export const NoContent = t.Void({ description: 'Done; no content' })
