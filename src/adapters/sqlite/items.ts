import type { ItemReader, ItemRepository } from '../../application/ports/persistence.ts'
import type { Connection } from './database.ts'
import { fromItemRow, type ItemRow, ownerWord } from './item-rows.ts'
import { createItemList } from './items-list.ts'

export const createItemReader = (connection: Connection): ItemReader => {
  const byId = connection.prepare<ItemRow, [number]>('SELECT * FROM items WHERE id = ?')
  return {
    async findById(id) {
      const row = byId.get(id)
      return row && fromItemRow(row)
    },
    list: createItemList(connection),
  }
}

/** Keeps the text index in step, statement by statement. */
export const createItemRepository = (connection: Connection): ItemRepository => {
  const insert = connection.prepare<{ id: number }, [number, string, string | null, string, number, number, number]>(
    `INSERT INTO items (owner_id, title, description, data, version, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
  )
  const update = connection.prepare<unknown, [string, string | null, string, number, number, number]>(
    'UPDATE items SET title = ?, description = ?, data = ?, version = ?, updated_at = ? WHERE id = ?',
  )
  const remove = connection.prepare<unknown, [number]>('DELETE FROM items WHERE id = ?')
  const owned = connection.prepare<ItemRow, [number, number]>(
    'DELETE FROM items WHERE id IN (SELECT id FROM items WHERE owner_id = ? LIMIT ?) RETURNING *',
  )
  const index = connection.prepare<unknown, [number, string, string, string]>(
    'INSERT OR REPLACE INTO items_text (rowid, title, description, owner) VALUES (?, ?, ?, ?)',
  )
  const unindex = connection.prepare<unknown, [number]>('DELETE FROM items_text WHERE rowid = ?')

  return {
    ...createItemReader(connection),
    async insert(item) {
      const { ownerId, title, description, data, version, createdAt, updatedAt } = item
      const row = insert.get(ownerId, title, description, JSON.stringify(data), version, createdAt, updatedAt)
      if (row === null) throw new Error('INSERT returned no row')
      index.run(row.id, title, description ?? '', ownerWord(ownerId))
      return { id: row.id, ...item }
    },
    async update({ id, ownerId, title, description, data, version, updatedAt }) {
      const { changes } = update.run(title, description, JSON.stringify(data), version, updatedAt, id)
      if (changes !== 1) throw new Error('UPDATE met no row')
      index.run(id, title, description ?? '', ownerWord(ownerId))
    },
    async delete(id) {
      remove.run(id)
      unindex.run(id)
    },
    async deleteOwned(ownerId, limit) {
      const gone = owned.all(ownerId, limit)
      for (const { id } of gone) unindex.run(id)
      return gone.map(fromItemRow)
    },
  }
}
