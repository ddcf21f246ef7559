import { t } from 'elysia'
import { type Collection, referencesOf, sortsOf } from '../../domain/collection.ts'
import { pageQuery } from './pages.ts'
import { characters, IdText, queryOf, TimestampText, textWithoutNul } from './schemas.ts'

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
        description: 'A condition in CEL over the fields by their names: only records for which it holds are listed',
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
        examples: [names[0] ?? 'owner_id'],
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
