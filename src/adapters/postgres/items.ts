import type { ItemReader, ItemRepository } from '../../application/ports/persistence.ts'
import type { Item } from '../../domain/item.ts'
import { BYTES_OF, itemBytes, type UsageCounter } from '../sql/usage.ts'
import { type Connection, HOLD, type Int8, int, type Lock, only, type Transaction } from './connection.ts'
import { lookUpIn } from './look-up.ts'
import { createPager, type Filter } from './pages.ts'
import { queryOf, vectorOf } from './words.ts'

interface Row {
  id: Int8
  owner_id: Int8
  title: string
  description: string | null
  data: string
  version: number
  created_at: Int8
  updated_at: Int8
}

/** All but the words, which are for finding. */
const COLUMNS = 'id, owner_id, title, description, data, version, created_at, updated_at'

const fromRow = (row: Row): Item => ({
  id: int(row.id),
  ownerId: int(row.owner_id),
  title: row.title,
  description: row.description,
  data: JSON.parse(row.data),
  version: row.version,
  createdAt: int(row.created_at),
  updatedAt: int(row.updated_at),
})

export const createItemReader = (connection: Connection, lock: Lock = ''): ItemReader => {
  const rowOf = lookUpIn<Row>(connection, { table: 'items', columns: COLUMNS, lock })
  const page = createPager<Row>(connection, {
    table: 'items',
    select: COLUMNS,
    columns: ['created_at', 'updated_at', 'title'],
  })
  return {
    async findById(id) {
      const row = await rowOf(id)
      return row ? fromRow(row) : null
    },
    async list(query) {
      const { ownerId, text, createdAfter, createdBefore } = query
      const words = text === null ? null : queryOf(text, ownerId)
      if (text !== null && words === null) return { items: [], total: 'page' in query.from ? 0 : null, next: null }
      const filters: Filter[] = [
        ...(ownerId === null ? [] : [{ sql: 'owner_id = ?', values: [ownerId] }]),
        ...(words === null ? [] : [{ sql: 'words @@ ?::tsquery', values: [words] }]),
        ...(createdAfter === null ? [] : [{ sql: 'created_at > ?', values: [createdAfter] }]),
        ...(createdBefore === null ? [] : [{ sql: 'created_at < ?', values: [createdBefore] }]),
      ]
      return page(query, filters, fromRow)
    },
  }
}

export const createItemRepository = (connection: Transaction, usage: UsageCounter): ItemRepository => ({
  ...createItemReader(connection, HOLD),
  async insert(item) {
    const { ownerId, title, description, data, version, createdAt, updatedAt } = item
    const text = JSON.stringify(data)
    const inserted = await connection.query<{ id: Int8 }>(
      `INSERT INTO items (owner_id, title, description, data, version, created_at, updated_at, words)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8::tsvector) RETURNING id`,
      ownerId,
      title,
      description,
      text,
      version,
      createdAt,
      updatedAt,
      vectorOf(item),
    )
    usage.add(ownerId, itemBytes(title, description, text))
    return { id: int(only(inserted).id), ...item }
  },
  async update(item) {
    const { id, ownerId, title, description, data, version, updatedAt } = item
    const text = JSON.stringify(data)
    // The unit has locked the row: what it took is what stands there.
    const [before] = await connection.query<{ bytes: Int8 }>(
      `UPDATE items SET title = $1, description = $2, data = $3, version = $4, updated_at = $5, words = $6::tsvector
       FROM (SELECT ${BYTES_OF.item} AS bytes FROM items WHERE id = $7 FOR NO KEY UPDATE) before WHERE id = $7
       RETURNING before.bytes`,
      title,
      description,
      text,
      version,
      updatedAt,
      vectorOf(item),
      id,
    )
    if (before === undefined) throw new Error('UPDATE met no row')
    usage.add(ownerId, itemBytes(title, description, text) - int(before.bytes))
  },
  async delete(id) {
    const [gone] = await connection.query<{ owner_id: Int8; bytes: Int8 }>(
      `DELETE FROM items WHERE id = $1 RETURNING owner_id, ${BYTES_OF.item} AS bytes`,
      id,
    )
    if (gone !== undefined) usage.add(int(gone.owner_id), -int(gone.bytes))
  },
  // Held before they are counted: one that somebody else is removing must not make them fewer than there are.
  async deleteOwned(ownerId, limit) {
    const gone = await connection.query<Row>(
      `DELETE FROM items WHERE id = ANY (ARRAY(SELECT id FROM items WHERE owner_id = $1 LIMIT $2 FOR UPDATE))
       RETURNING ${COLUMNS}`,
      ownerId,
      limit,
    )
    for (const { title, description, data } of gone) usage.add(ownerId, -itemBytes(title, description, data))
    return gone.map(fromRow)
  },
})
