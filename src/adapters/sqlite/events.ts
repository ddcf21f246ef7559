import type { EventReader, EventRepository } from '../../application/ports/persistence.ts'
import type { ItemEvent, ItemEventName } from '../../domain/event.ts'
import type { Connection } from './database.ts'

interface Row {
  cursor: number
  event: ItemEventName
  item: string
  actor_id: number
  request_id: string
  created_at: number
}

const fromRow = (row: Row): ItemEvent => ({
  cursor: row.cursor,
  event: row.event,
  item: JSON.parse(row.item),
  actorId: row.actor_id,
  requestId: row.request_id,
  createdAt: row.created_at,
})

export const createEventReader = (connection: Connection): EventReader => {
  const all = connection.prepare<Row, [number, number]>('SELECT * FROM events WHERE cursor > ? ORDER BY cursor LIMIT ?')
  const ofOwner = connection.prepare<Row, [number, number, number]>(
    'SELECT * FROM events WHERE owner_id = ? AND cursor > ? ORDER BY cursor LIMIT ?',
  )
  const ofItem = connection.prepare<Row, [number, number, number]>(
    'SELECT * FROM events WHERE item_id = ? AND cursor > ? ORDER BY cursor LIMIT ?',
  )
  const newest = connection.prepare<{ cursor: number }, []>(
    "SELECT seq AS cursor FROM sqlite_sequence WHERE name = 'events'",
  )
  const oldest = connection.prepare<{ cursor: number | null }, []>('SELECT min(cursor) AS cursor FROM events')

  return {
    async list({ scope, after, limit }) {
      if (scope === 'all') return all.all(after, limit).map(fromRow)
      if ('ownerId' in scope) return ofOwner.all(scope.ownerId, after, limit).map(fromRow)
      return ofItem.all(scope.itemId, after, limit).map(fromRow)
    },
    async bounds() {
      const last = newest.get()?.cursor ?? 0
      return { last, removed: (oldest.get()?.cursor ?? last + 1) - 1 }
    },
  }
}

/** `onAppended` hears of each new event; what it hears is not committed yet. */
export const createEventRepository = (connection: Connection, onAppended: () => void): EventRepository => {
  const append = connection.prepare<unknown, [string, number, number, string, number, string, number]>(
    `INSERT INTO events (event, item_id, owner_id, item, actor_id, request_id, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  )
  const old = connection.prepare<unknown, [number, number]>(
    'DELETE FROM events WHERE cursor IN (SELECT cursor FROM events WHERE created_at < ? LIMIT ?)',
  )
  return {
    ...createEventReader(connection),
    async append({ event, item, actorId, requestId, createdAt }) {
      append.run(event, item.id, item.ownerId, JSON.stringify(item), actorId, requestId, createdAt)
      onAppended()
    },
    async deleteBefore(instant, limit) {
      return old.run(instant, limit).changes
    },
  }
}
