import type { EventReader, EventRepository, EventScope } from '../../application/ports/persistence.ts'
import type { ItemEventName, JobEventName, LoggedEvent } from '../../domain/event.ts'
import { erasedItem } from '../../domain/item.ts'
import { BYTES_OF, eventBytes, type UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'

interface Common {
  cursor: number
  data: string
  created_at: number
}

type Row = Common &
  (
    | { item_id: number; event: ItemEventName; actor_id: number; request_id: string }
    | { item_id: null; event: JobEventName }
  )

/** An event of an item, with the item if it tells of a deletion. */
interface Owned {
  cursor: number
  bytes: number
  deleted: string | null
}

const fromRow = (row: Row): LoggedEvent => {
  const { cursor, created_at: createdAt } = row
  const data = JSON.parse(row.data)
  if (row.item_id === null) return { cursor, event: row.event, job: data, createdAt }
  return { cursor, event: row.event, item: data, actorId: row.actor_id, requestId: row.request_id, createdAt }
}

interface Sized {
  cursor: number
  bytes: number
}

/** Reads `columns` of the events of a scope, in their order. */
const createScopedQuery = <Found>(connection: Connection, columns: string) => {
  const where = <Values extends number[]>(condition: string) =>
    connection.prepare<Found, Values>(
      `SELECT ${columns} FROM events WHERE ${condition} cursor > ? ORDER BY cursor LIMIT +?`,
    )
  const items = where<[number, number]>('item_id IS NOT NULL AND')
  const jobs = where<[number, number]>('item_id IS NULL AND')
  const all = where<[number, number]>('')
  const ofOwner = where<[number, number, number]>('owner_id = +? AND')
  const ofItem = where<[number, number, number]>('item_id = +? AND')
  return (scope: EventScope, after: number, limit: number): Found[] => {
    if (scope === 'all') return all.all(after, limit)
    if (scope === 'items') return items.all(after, limit)
    if (scope === 'jobs') return jobs.all(after, limit)
    if ('ownerId' in scope) return ofOwner.all(scope.ownerId, after, limit)
    return ofItem.all(scope.itemId, after, limit)
  }
}

export const createEventReader = (connection: Connection): EventReader => {
  const rows = createScopedQuery<Row>(connection, '*')
  // The length stands before the text: that of a long one is told without reading it.
  const sizes = createScopedQuery<Sized>(connection, 'cursor, octet_length(data) AS bytes')
  const newest = connection.prepare<{ cursor: number }, []>(
    "SELECT seq AS cursor FROM sqlite_sequence WHERE name = 'events'",
  )
  const oldest = connection.prepare<{ cursor: number | null }, []>('SELECT min(cursor) AS cursor FROM events')

  return {
    async list({ scope, after, limit }) {
      return rows(scope, after, limit).map(fromRow)
    },
    async chunk({ scope, after, maxCount, maxBytes }) {
      const found = sizes(scope, after, maxCount)
      let count = 0
      for (let bytes = 0; count < found.length && bytes < maxBytes; count++) bytes += found[count]?.bytes ?? 0
      const complete = count === found.length && count < maxCount
      return { events: count === 0 ? [] : rows(scope, after, count).map(fromRow), complete }
    },
    async bounds() {
      const last = newest.get()?.cursor ?? 0
      return { last, removed: (oldest.get()?.cursor ?? last + 1) - 1 }
    },
  }
}

/** `onAppended` hears of each new event; what it hears is not committed yet. */
export const createEventRepository = (
  connection: Connection,
  usage: UsageCounter,
  onAppended: () => void,
): EventRepository => {
  const append = connection.prepare<
    unknown,
    [string, number | null, number | null, string, number | null, string | null, number]
  >(
    `INSERT INTO events (event, item_id, owner_id, data, actor_id, request_id, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  )
  // From the beginning of the log without a gap, though a clock may have been set back.
  const old = connection.prepare<{ owner_id: number | null; bytes: number }, [number, number]>(
    `DELETE FROM events WHERE cursor IN (
       SELECT cursor FROM (
         SELECT cursor, max(created_at) OVER (ORDER BY cursor) AS latest FROM (
           SELECT cursor, created_at FROM events ORDER BY cursor LIMIT +?)
       ) WHERE latest < ?)
     RETURNING owner_id, ${BYTES_OF.event} AS bytes`,
  )
  const owned = connection.prepare<Owned, [number, number, number]>(
    `SELECT cursor, ${BYTES_OF.event} AS bytes, iif(event = 'item.deleted', data, NULL) AS deleted
     FROM events WHERE owner_id = +? AND cursor > ? ORDER BY cursor LIMIT +?`,
  )
  const remove = connection.prepare<unknown, [number]>('DELETE FROM events WHERE cursor = ?')
  const replace = connection.prepare<unknown, [string, number]>('UPDATE events SET data = ? WHERE cursor = ?')
  return {
    ...createEventReader(connection),
    async append(logged) {
      const { event, createdAt } = logged
      if ('item' in logged) {
        const { item, actorId, requestId } = logged
        const data = JSON.stringify(item)
        append.run(event, item.id, item.ownerId, data, actorId, requestId, createdAt)
        if (event === 'item.deleted') usage.addAlways(item.ownerId, eventBytes(data))
        else usage.add(item.ownerId, eventBytes(data))
      } else append.run(event, null, null, JSON.stringify(logged.job), null, null, createdAt)
      onAppended()
    },
    async deleteBefore(instant, limit) {
      const gone = old.all(limit, instant)
      for (const { owner_id, bytes } of gone) if (owner_id !== null) usage.add(owner_id, -bytes)
      return gone.length
    },
    async eraseOwned(ownerId, after, limit) {
      const found = owned.all(ownerId, after, limit)
      for (const { cursor, bytes, deleted } of found) {
        usage.add(ownerId, -bytes)
        if (deleted === null) {
          remove.run(cursor)
          continue
        }
        const data = JSON.stringify(erasedItem(JSON.parse(deleted)))
        replace.run(data, cursor)
        usage.addAlways(ownerId, eventBytes(data))
      }
      return found.at(-1)?.cursor ?? null
    },
  }
}
