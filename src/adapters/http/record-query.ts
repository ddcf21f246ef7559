import { type Static, t } from 'elysia'
import type { RecordQuery } from '../../application/ports/records.ts'
import type { ListOptions } from '../../application/records.ts'
import { type Collection, isBuiltIn, referencesOf, sortsOf } from '../../domain/collection.ts'
import type { Principal } from '../../domain/session.ts'
import { type IsKeyOf, NEWEST_FIRST, pageQuery, signed, toPageRequest } from './pages.ts'
import { HttpProblem } from './problems.ts'
import { characters, IdText, parseTimestamp, queryOf, TimestampText, textWithoutNul } from './schemas.ts'

const MAX_FILTER_LENGTH = 4_000
const MAX_EXPAND_LENGTH = 500

const searchParameter = (searched: readonly string[]) =>
  t.Optional(
    characters(
      { maxLength: 200 },
      {
        description: `Words of ${searched.join(' or ')}, or prefixes of at least two characters; up to eight words are used`,
        examples: ['oak'],
      },
    ),
  )

const filterParameter = (example: string) =>
  t.Optional(
    textWithoutNul(
      { maxLength: MAX_FILTER_LENGTH },
      {
        description:
          'A CEL expression over the fields of a record, such as `!done`: the list contains only records for which it is true',
        examples: [example],
      },
    ),
  )

const expandParameter = (names: readonly string[]) =>
  t.Optional(
    characters(
      { maxLength: MAX_EXPAND_LENGTH },
      {
        description:
          'Names of references, separated by commas; a dot leads to a reference of the referenced record. What they reference, if you may read it, is added as `expanded`',
        examples: [names[0] ?? 'owner'],
      },
    ),
  )

/** The query parameters of one record. */
export const recordQuery = (collection: Collection) => ({
  expand: expandParameter(referencesOf(collection).map(({ name }) => name)),
})

/** The query parameters of a list of records. */
export const listQuery = (collection: Collection) => ({
  ...pageQuery(sortsOf(collection)),
  ...(collection.search.length === 0 ? {} : { q: searchParameter(collection.search) }),
  filter: filterParameter(`created_at > now - duration("24h")`),
  ...recordQuery(collection),
  created_after: t.Optional(TimestampText),
  created_before: t.Optional(TimestampText),
})

const { sort: _, ...PAGE } = pageQuery([])

/** The query parameters of a list of any collection, of which only some may exist: see {@link listQuery}. */
export const AnyListQuery = queryOf({
  ...PAGE,
  sort: t.Optional(characters({ maxLength: 64 })),
  q: searchParameter(['text']),
  filter: filterParameter('true'),
  expand: expandParameter([]),
  created_after: t.Optional(TimestampText),
  created_before: t.Optional(TimestampText),
  owner_id: t.Optional(IdText),
})

/** The query parameters of one record of any collection. */
export const AnyRecordQuery = queryOf({ expand: expandParameter([]) })

const SYSTEM_SORTS: readonly string[] = ['id', 'created_at', 'updated_at']

const isKeyOf: IsKeyOf = (field, key) => !SYSTEM_SORTS.includes(field) || Number.isSafeInteger(key)

const refuse = (pointer: string, detail: string) =>
  new HttpProblem('validation_failed', 'The query does not have the expected form', {
    errors: [{ in: 'query', pointer, detail }],
  })

/** The names in `expand`. */
export const parseExpand = (expand = ''): readonly string[] =>
  expand === '' ? [] : expand.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))

/** The request for a page of a collection. Throws `validation_failed`, `invalid_cursor`. */
export const toListRequest = (
  query: Static<typeof AnyListQuery>,
  collection: Collection,
  principal: Principal | null,
): RecordQuery => {
  const sorts = sortsOf(collection)
  const choices = signed(sorts)
  if (query.sort !== undefined && !choices.includes(query.sort)) {
    throw refuse('/sort', `Expected one of ${choices.join(', ')}`)
  }
  const isOwn = isBuiltIn(collection) && principal !== null && principal.role !== 'admin'
  return {
    ...toPageRequest(query, sorts, NEWEST_FIRST, isBuiltIn(collection) ? undefined : isKeyOf),
    ownerId: query.owner_id === undefined ? (isOwn ? principal.userId : null) : Number(query.owner_id),
    text: query.q === undefined || query.q === '' ? null : query.q,
    createdAfter:
      query.created_after === undefined ? null : parseTimestamp(query.created_after, '/created_after').floor,
    createdBefore:
      query.created_before === undefined ? null : parseTimestamp(query.created_before, '/created_before').ceiling,
  }
}

export const toListOptions = ({ filter = '', expand }: Static<typeof AnyListQuery>): ListOptions => ({
  filter: filter.trim() === '' ? null : filter,
  expand: parseExpand(expand),
})
