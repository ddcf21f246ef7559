import type { StoredCollection } from '../../application/ports/collections.ts'
import { collections } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import type { Connection } from './database.ts'
import type { CacheLookUp } from './row-cache.ts'

/** The definitions of collections as one connection sees them, each parsed once. */
export interface Definitions {
  find(name: string): StoredCollection | null
  findById(id: number): StoredCollection | null
  /** In the order of their names. */
  all(): readonly StoredCollection[]
}

interface Known {
  readonly row: Row
  readonly stored: StoredCollection
}

/** The columns that are compared to find out whether a definition has changed. */
const COLUMNS = [...Object.keys(collections.columns)].filter((column) => column !== 'last_shape')

const isSameRow = (one: Row, other: Row): boolean => COLUMNS.every((column) => one[column] === other[column])

/**
 * `cacheLookUp` is that of the connection: it queries again after a commit of another one, so that one number tells of
 * changes. Who changes a definition through this connection clears the cache.
 */
export const createDefinitions = (connection: Connection, cacheLookUp: CacheLookUp): Definitions => {
  const changes = connection.prepare<{ nonce: number }, [number]>('SELECT nonce FROM collection_changes WHERE id = ?')
  const nonceOf = cacheLookUp(
    (id) => changes.get(id),
    (row) => row,
  )
  const byName = connection.prepare<Row, [string]>('SELECT * FROM collections WHERE name = ?')
  const byId = connection.prepare<Row, [number]>('SELECT * FROM collections WHERE id = ?')
  const everyOne = connection.prepare<Row, []>('SELECT * FROM collections WHERE name IS NOT NULL ORDER BY name')
  /** By id; survives changes of other definitions. */
  const parsed = new Map<number, Known>()
  const found = new Map<string, StoredCollection>()
  const foundById = new Map<number, StoredCollection>()
  let list: readonly StoredCollection[] | null = null
  let knownNonce: number | null = null

  const checkChanges = () => {
    const nonce = nonceOf(0)?.nonce ?? 0
    if (nonce === knownNonce) return
    knownNonce = nonce
    found.clear()
    foundById.clear()
    list = null
  }

  const remember = (row: Row): StoredCollection => {
    const id = Number(row.id)
    const known = parsed.get(id)
    const stored = known !== undefined && isSameRow(known.row, row) ? known.stored : collections.fromRow(row)
    parsed.set(id, { row, stored })
    foundById.set(id, stored)
    if (typeof row.name === 'string') found.set(row.name, stored)
    return stored
  }

  return {
    find(name) {
      checkChanges()
      const known = found.get(name)
      if (known !== undefined) return known
      const row = byName.get(name)
      return row && remember(row)
    },
    findById(id) {
      checkChanges()
      const known = foundById.get(id)
      if (known !== undefined) return known
      const row = byId.get(id)
      return row && remember(row)
    },
    all() {
      checkChanges()
      if (list !== null) return list
      const rows = everyOne.all()
      // Forgets those that were deleted.
      const ids = new Set(rows.map(({ id }) => Number(id)))
      for (const id of parsed.keys()) if (!ids.has(id)) parsed.delete(id)
      list = rows.map(remember)
      return list
    },
  }
}
