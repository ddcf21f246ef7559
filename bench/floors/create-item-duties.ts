/**
 * What `POST /items/` costs when a raw server does what the contract demands of each create (`lib/durable-creates.ts`),
 * with the indexes of items. Arguments: the database, the owner's id.
 */
import { EPOCH, serveDurableCreates } from '../lib/durable-creates.ts'
import { type ItemDraft, itemBody } from '../lib/item-body.ts'

const [path = '', id] = Bun.argv.slice(2)
const userId = Number(id)

serveDurableCreates<ItemDraft>({
  path,
  userId,
  route: '/api/v1/items/',
  table: 'items',
  terms: `@${userId}`,
  event: { name: 'item.created', kind: 'items' },
  prepare(database) {
    const insert = database.prepare(
      `INSERT INTO items (owner_id, title, description, data, version, epoch, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    return ({ title, description = null, data = {} }, now) => {
      const json = JSON.stringify(data)
      const { lastInsertRowid } = insert.run(userId, title, description, json, 1, EPOCH, now, now)
      const row = { id: Number(lastInsertRowid), owner_id: userId, title, description, data: json, version: 1 }
      const body = itemBody({ ...row, created_at: now, updated_at: now })
      return { id: row.id, text: `${title}\n${description}`, body }
    }
  },
})
