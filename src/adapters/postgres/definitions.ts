import type { StoredCollection } from '../../application/ports/collections.ts'
import { collections } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { type Connection, type Query, textArray } from './connection.ts'
import { batchLookUps } from './look-up.ts'

interface Parsed {
  readonly stamp: string
  readonly stored: StoredCollection
}

/** Parsed definitions by name, shared by all readers and transactions of a store. */
export type DefinitionCache = Map<string, Parsed>

/** More than collections may exist at a time. */
const MAX_CACHED_COUNT = 1_000

interface DefinitionRow extends Row {
  readonly name: string
  readonly stamp: string
}

/** Differs after every change of the row: `xmin` is the transaction that wrote it. */
const STAMP = `concat_ws('.', id, version, epoch, collections.xmin)`

/** A definition has up to 64 kB, so it is read only if it is not the cached one. */
const columnsUnless = (stamp: string): string =>
  `id, collections.name, version, epoch, shape, created_at, updated_at, ${STAMP} AS stamp,
   ${['definition', 'indexes', 'pending', 'deletions'].map((column) => `CASE WHEN ${STAMP} <> ${stamp} THEN ${column} END AS ${column}`).join(', ')}`

const ONE = `SELECT ${columnsUnless('$2')} FROM collections WHERE name = $1`

const MANY = `SELECT ${columnsUnless('asked.stamp')}
  FROM unnest($1::text[], $2::text[]) AS asked (name, stamp) JOIN collections ON collections.name = asked.name`

const ALL = `SELECT ${columnsUnless("coalesce(asked.stamp, '')")}
  FROM collections LEFT JOIN unnest($1::text[], $2::text[]) AS asked (name, stamp) ON asked.name = collections.name
  WHERE collections.name IS NOT NULL ORDER BY collections.name`

/** `known` is what was cached when the statement was sent. */
const take = (cache: DefinitionCache, row: DefinitionRow, known: Parsed | undefined): StoredCollection => {
  if (known?.stamp === row.stamp) return known.stored
  const current = cache.get(row.name)
  if (current?.stamp === row.stamp) return current.stored
  const stored = collections.fromRow(row)
  if (cache.size >= MAX_CACHED_COUNT) cache.clear()
  cache.set(row.name, { stamp: row.stamp, stored })
  return stored
}

/** Reads one definition in one statement, which a unique index answers. */
export const readDefinition = async (
  read: Query,
  cache: DefinitionCache,
  name: string,
): Promise<StoredCollection | null> => {
  // Any name may be looked up, but no text in Postgres contains NUL.
  if (name.includes('\0')) return null
  const known = cache.get(name)
  const [row] = await read<DefinitionRow>(ONE, name, known?.stamp ?? '')
  if (row !== undefined) return take(cache, row, known)
  cache.delete(name)
  return null
}

const readMany = async (
  read: Query,
  cache: DefinitionCache,
  sql: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, StoredCollection>> => {
  const known = new Map(names.map((name) => [name, cache.get(name)]))
  const stamps = names.map((name) => known.get(name)?.stamp ?? '')
  const rows = await read<DefinitionRow>(sql, textArray(names), textArray(stamps))
  return new Map(rows.map((row) => [row.name, take(cache, row, known.get(row.name))]))
}

/** As {@link readDefinition}; look-ups are batched. */
export const lookUpDefinitions = ({ read }: Connection, cache: DefinitionCache) =>
  batchLookUps<string, StoredCollection>(async (names) => {
    const [name, ...others] = names
    if (name !== undefined && others.length === 0) {
      const found = await readDefinition(read, cache, name)
      return new Map(found === null ? [] : [[name, found]])
    }
    return readMany(
      read,
      cache,
      MANY,
      names.filter((each) => !each.includes('\0')),
    )
  })

/** In the order of their names. */
export const readAllDefinitions = async (read: Query, cache: DefinitionCache): Promise<readonly StoredCollection[]> => [
  ...(await readMany(read, cache, ALL, [...cache.keys()])).values(),
]
