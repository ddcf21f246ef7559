import { type TSchema, t } from 'elysia'
import {
  invalidCursor,
  PAGE_SIZE,
  type Page,
  type PageRequest,
  type RowPosition,
  type Sort,
} from '../../domain/page.ts'
import { integer } from './integer.ts'
import { characters, choiceOf, integerText } from './schemas.ts'

/** The order of a list without `sort`. */
export const NEWEST_FIRST = { field: 'created_at', descending: true } as const

/** Each field, ascending and descending. */
export const signed = <const Field extends string>(fields: readonly Field[]) =>
  fields.flatMap((field) => [field, `-${field}`] as const)

const CURSOR = 'WyItY3JlYXRlZF9hdCIsMTc2OTg1MTgwMDAwMCwxXQ'

/** The query parameters of every list. */
export const pageQuery = <const Field extends string>(fields: readonly Field[]) => ({
  page: t.Optional(
    integerText(/^[1-9][0-9]{0,8}$/, 1, 999_999_999, {
      default: 1,
      description: 'Counted from 1',
      examples: [1],
    }),
  ),
  size: t.Optional(
    integerText(/^([1-9][0-9]?|100)$/, PAGE_SIZE.minimum, PAGE_SIZE.maximum, {
      default: PAGE_SIZE.default,
      description: 'Maximum number of entries per page',
      examples: [PAGE_SIZE.default],
    }),
  ),
  sort: t.Optional(
    choiceOf(signed(fields), { description: 'Prefix `-` for descending order; by default, newest first' }),
  ),
  total: t.Optional(choiceOf(['true', 'false'], { default: 'true', description: '`false` omits the total count' })),
  cursor: t.Optional(
    characters({ maxLength: 2_000 }, { description: 'The `next_cursor` of the previous page', examples: [CURSOR] }),
  ),
})

interface PageParameters {
  readonly page?: string
  readonly size?: string
  readonly sort?: string
  readonly total?: string
  readonly cursor?: string
}

const sortText = ({ field, descending }: Sort<string>) => `${descending ? '-' : ''}${field}`

const parseSort = <Field extends string>(sort: string, fields: readonly Field[]): Sort<Field> | null => {
  const field = fields.find((name) => name === sort.replace(/^-/, ''))
  return field === undefined ? null : { field, descending: sort.startsWith('-') }
}

const encodeCursor = (sort: Sort<string>, { key, id, order }: RowPosition): string =>
  Buffer.from(JSON.stringify([sortText(sort), key, id, ...(order === undefined ? [] : [order])])).toString('base64url')

type Key = RowPosition['key']

const isKey = (key: unknown): key is Key =>
  typeof key === 'string' ? !key.includes('\0') : typeof key === 'number' && Number.isFinite(key)

/** Whether rows can have this value of a sort: text has no NUL, and a time is a whole number of milliseconds. */
export type IsKeyOf = (field: string, key: Key) => boolean

const isTextOrTime: IsKeyOf = (field, key) =>
  field === 'created_at' || field === 'updated_at' ? Number.isSafeInteger(key) : typeof key === 'string'

const decodeCursor = (cursor: string): { sort: string; position: RowPosition } => {
  try {
    const [sort, key, id, order] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as readonly unknown[]
    if (typeof sort === 'string' && isKey(key) && typeof id === 'number' && Number.isSafeInteger(id)) {
      return { sort, position: { key, id, ...(typeof order === 'string' ? { order } : {}) } }
    }
  } catch {
    // Not JSON: the same error as below.
  }
  throw invalidCursor()
}

/** Throws `invalid_cursor`. A cursor contains its sort; a sort in the request must be the same. */
export const toPageRequest = <Field extends string>(
  parameters: PageParameters,
  fields: readonly Field[],
  fallback: Sort<Field>,
  isKeyOf: IsKeyOf = isTextOrTime,
): PageRequest<Field> => {
  const size = Number(parameters.size ?? PAGE_SIZE.default)
  const given = parameters.sort === undefined ? null : parseSort(parameters.sort, fields)
  if (parameters.cursor === undefined) {
    const page = Number(parameters.page ?? 1)
    return { size, sort: given ?? fallback, from: parameters.total === 'false' ? { page, total: false } : { page } }
  }
  const { sort: text, position } = decodeCursor(parameters.cursor)
  const sort = parseSort(text, fields)
  const mismatch = given !== null && sortText(given) !== text
  if (sort === null || mismatch || !isKeyOf(sort.field, position.key)) throw invalidCursor()
  return { size, sort, from: { after: position } }
}

export const pageResponse = <T extends TSchema>(item: T) =>
  t.Object(
    {
      items: t.Array(item),
      total: t.Nullable(
        integer({
          minimum: 0,
          description: 'Null, like `pages`, when reading by cursor, with `total=false`, and beyond 10,000',
          examples: [1],
        }),
      ),
      total_at_least: t.Optional(
        integer({
          minimum: 0,
          description: 'A lower bound of the total when there are too many entries to count',
          examples: [10_000],
        }),
      ),
      page: t.Nullable(integer({ minimum: 1, description: 'Null when reading by cursor', examples: [1] })),
      size: integer({ minimum: 1, maximum: 100, description: 'The requested page size', examples: [20] }),
      pages: t.Nullable(integer({ minimum: 0, description: 'The number of pages', examples: [1] })),
      next_cursor: t.Nullable(
        t.String({
          description: 'Pass it as `cursor` to read the next page at constant cost; null on the last page only',
          examples: [null, CURSOR],
        }),
      ),
    },
    { title: `${item.title}Page` },
  )

/** The response body of every list. */
export const toPageResponse = <T, R>(
  { items, total, totalAtLeast, next }: Page<T>,
  { size, sort, from }: PageRequest<string>,
  toResponse: (item: T) => R,
) => ({
  items: items.map(toResponse),
  total,
  ...(totalAtLeast === undefined ? {} : { total_at_least: totalAtLeast }),
  page: 'page' in from ? from.page : null,
  size,
  pages: total === null ? null : Math.ceil(total / size),
  next_cursor: next === null ? null : encodeCursor(sort, next),
})
