import type { ItemReader, ItemRepository } from '../../application/ports/persistence.ts'
import { atOnce } from '../sql/turns.ts'
import { BYTES_OF, itemBytes, type UsageCounter } from '../sql/usage.ts'
import { type Connection, type Int8, int, type Lock, only, ROW_LOCK, type Transaction } from './connection.ts'
import type { PresentEpoch } from './epochs.ts'
import { COLUMNS, fromRow, type Row } from './item-rows.ts'
import { createItemList } from './items-list.ts'
import { lookUpIn } from './look-up.ts'
import { bucketsOf, vectorOf } from './words.ts'

export const createItemReader = (connection: Connection, lock: Lock = '', turn = atOnce): ItemReader => {
  const rowOf = lookUpIn<Row>(connection, { table: 'items', columns: COLUMNS, lock })
  return {
    async findById(id) {
      const row = await rowOf(id)
      return row ? fromRow(row) : null
    },
    list: createItemList(connection, turn),
  }
}

export const createItemRepository = (
  connection: Transaction,
  present: PresentEpoch,
  usage: UsageCounter,
): ItemRepository => ({
  ...createItemReader(connection, ROW_LOCK),
  async insert(item) {
    const { ownerId, title, description, data, version, createdAt, updatedAt } = item
    const epoch = present.current
    const text = JSON.stringify(data)
    const inserted = await connection.insert<{ id: Int8 }>(
      `INSERT INTO items
         (id, owner_id, title, description, data, version, epoch, created_at, updated_at, words, words_version)
       SELECT id, $1::bigint, $2::text, $3::text, $4::text, $5::integer, $6::text, $7::bigint, $8::bigint,
         $9::tsvector || ${bucketsOf('id')}, $10::integer
       FROM (SELECT nextval('items_id_seq') AS id) AS given
       RETURNING id`,
      ownerId,
      title,
      description,
      text,
      version,
      epoch,
      createdAt,
      updatedAt,
      vectorOf(item),
      version,
    )
    usage.add(ownerId, itemBytes(title, description, text))
    return { id: int(only(inserted).id), ...item, epoch }
  },
  async update(item) {
    const { id, ownerId, title, description, data, version, updatedAt } = item
    const epoch = present.current
    const text = JSON.stringify(data)
    // The unit has locked the row: what it took is what stands there.
    const [before] = await connection.change<{ bytes: Int8 }>(
      `UPDATE items SET title = $1, description = $2, data = $3, version = $4, epoch = $5, updated_at = $6,
         words = $7::tsvector || ${bucketsOf('items.id')}, words_version = $8
       FROM (SELECT ${BYTES_OF.item} AS bytes FROM items WHERE id = $9 FOR NO KEY UPDATE) before WHERE id = $9
       RETURNING before.bytes`,
      title,
      description,
      text,
      version,
      epoch,
      updatedAt,
      vectorOf(item),
      version,
      id,
    )
    if (before === undefined) throw new Error('UPDATE met no row')
    usage.add(ownerId, itemBytes(title, description, text) - int(before.bytes))
    return { ...item, epoch }
  },
  async delete(id) {
    const [gone] = await connection.change<{ owner_id: Int8; bytes: Int8 }>(
      `DELETE FROM items WHERE id = $1 RETURNING owner_id, ${BYTES_OF.item} AS bytes`,
      id,
    )
    if (gone !== undefined) usage.add(int(gone.owner_id), -int(gone.bytes))
  },
  // Held before they are counted: one that somebody else is removing must not make them fewer than there are.
  async deleteOwned(ownerId, limit) {
    const gone = await connection.change<Row>(
      `DELETE FROM items WHERE id = ANY (ARRAY(SELECT id FROM items WHERE owner_id = $1 LIMIT $2 FOR UPDATE))
       RETURNING ${COLUMNS}`,
      ownerId,
      limit,
    )
    for (const { title, description, data } of gone) usage.add(ownerId, -itemBytes(title, description, data))
    return gone.map(fromRow)
  },
})
