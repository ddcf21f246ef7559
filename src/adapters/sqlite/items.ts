import type { ItemReader, ItemRepository } from '../../application/ports/persistence.ts'
import { atOnce } from '../sql/turns.ts'
import type { Connection } from './database.ts'
import type { PresentEpoch } from './epochs.ts'
import { fromItemRow, type ItemRow } from './item-rows.ts'
import { createItemList } from './items-list.ts'
import type { ItemText } from './items-text.ts'
import { rememberNothing } from './snapshots.ts'

export const createItemReader = (connection: Connection, remember = rememberNothing, turn = atOnce): ItemReader => {
  const byId = connection.prepare<ItemRow, [number]>('SELECT * FROM items WHERE id = ?')
  const rowOf = remember((id) => byId.get(id))
  return {
    async findById(id) {
      const row = rowOf(id)
      return row && fromItemRow(row)
    },
    list: createItemList(connection, turn),
  }
}

export const createItemRepository = (
  connection: Connection,
  texts: ItemText,
  present: PresentEpoch,
): ItemRepository => {
  // RETURNING would open a statement journal, which costs more than the row.
  const insert = connection.prepare<unknown, [number, string, string | null, string, number, string, number, number]>(
    `INSERT INTO items (owner_id, title, description, data, version, epoch, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const update = connection.prepare<unknown, [string, string | null, string, number, string, number, number]>(
    'UPDATE items SET title = ?, description = ?, data = ?, version = ?, epoch = ?, updated_at = ? WHERE id = ?',
  )
  const remove = connection.prepare<unknown, [number]>('DELETE FROM items WHERE id = ?')
  const owned = connection.prepare<ItemRow, [number, number]>(
    'DELETE FROM items WHERE id IN (SELECT id FROM items WHERE owner_id = ? LIMIT +?) RETURNING *',
  )

  return {
    ...createItemReader(connection),
    async insert(item) {
      const { ownerId, title, description, data, version, createdAt, updatedAt } = item
      const epoch = present.current
      const values = [ownerId, title, description, JSON.stringify(data), version, epoch, createdAt, updatedAt] as const
      const inserted = { id: Number(insert.run(...values).lastInsertRowid), ...item, epoch }
      texts.put(inserted)
      return inserted
    },
    async update(item) {
      const { id, title, description, data, version, updatedAt } = item
      const epoch = present.current
      const { changes } = update.run(title, description, JSON.stringify(data), version, epoch, updatedAt, id)
      if (changes !== 1) throw new Error('UPDATE met no row')
      texts.put(item)
      return { ...item, epoch }
    },
    async delete(id) {
      remove.run(id)
      texts.remove(id)
    },
    async deleteOwned(ownerId, limit) {
      const gone = owned.all(ownerId, limit)
      for (const { id } of gone) texts.remove(id)
      return gone.map(fromItemRow)
    },
  }
}
