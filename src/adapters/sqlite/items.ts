import type { ItemReader, ItemRepository } from '../../application/ports/persistence.ts'
import { atOnce } from '../sql/turns.ts'
import { BYTES_OF, itemBytes, type UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'
import type { PresentEpoch } from './epochs.ts'
import { fromItemRow, type ItemRow } from './item-rows.ts'
import { createItemList } from './items-list.ts'
import type { ItemText } from './items-text.ts'
import { rememberNothing } from './row-cache.ts'

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
  usage: UsageCounter,
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
  const taken = connection.prepare<{ owner_id: number; bytes: number }, [number]>(
    `SELECT owner_id, ${BYTES_OF.item} AS bytes FROM items WHERE id = ?`,
  )
  const owned = connection.prepare<ItemRow, [number, number]>(
    'DELETE FROM items WHERE id IN (SELECT id FROM items WHERE owner_id = ? LIMIT +?) RETURNING *',
  )

  const takeOff = (id: number): void => {
    const row = taken.get(id)
    if (row !== null) usage.add(row.owner_id, -row.bytes)
  }

  return {
    ...createItemReader(connection),
    async insert(item) {
      const { ownerId, title, description, data, version, createdAt, updatedAt } = item
      const epoch = present.current
      const text = JSON.stringify(data)
      const values = [ownerId, title, description, text, version, epoch, createdAt, updatedAt] as const
      const inserted = { id: Number(insert.run(...values).lastInsertRowid), ...item, epoch }
      texts.put(inserted)
      usage.add(ownerId, itemBytes(title, description, text))
      return inserted
    },
    async update(item) {
      const { id, ownerId, title, description, data, version, updatedAt } = item
      const epoch = present.current
      const text = JSON.stringify(data)
      takeOff(id)
      const { changes } = update.run(title, description, text, version, epoch, updatedAt, id)
      if (changes !== 1) throw new Error('UPDATE met no row')
      texts.put(item)
      usage.add(ownerId, itemBytes(title, description, text))
      return { ...item, epoch }
    },
    async delete(id) {
      takeOff(id)
      remove.run(id)
      texts.remove(id)
    },
    async deleteOwned(ownerId, limit) {
      const gone = owned.all(ownerId, limit)
      for (const { id, title, description, data } of gone) {
        texts.remove(id)
        usage.add(ownerId, -itemBytes(title, description, data))
      }
      return gone.map(fromItemRow)
    },
  }
}
