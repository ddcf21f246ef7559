import type { EventReader, EventRepository, EventScope } from '../../application/ports/persistence.ts'
import type { ItemEventName, JobEventName, LoggedEvent } from '../../domain/event.ts'
import { erasedItem } from '../../domain/item.ts'
import { BYTES_OF, eventBytes, type UsageCounter } from '../sql/usage.ts'
import { type Connection, type Int8, int, type Parameter, type Transaction } from './connection.ts'

interface Common {
  position: Int8
  data: string
  created_at: Int8
}

type Row = Common &
  ({ item_id: Int8; event: ItemEventName; actor_id: Int8; request_id: string } | { item_id: null; event: JobEventName })

const fromRow = (row: Row): LoggedEvent => {
  const cursor = int(row.position)
  const createdAt = int(row.created_at)
  const data = JSON.parse(row.data)
  if (row.item_id === null) return { cursor, event: row.event, job: data, createdAt }
  return { cursor, event: row.event, item: data, actorId: int(row.actor_id), requestId: row.request_id, createdAt }
}

const conditionOf = (scope: EventScope): { readonly sql: string; readonly values: readonly Parameter[] } => {
  if (scope === 'all') return { sql: 'true', values: [] }
  if (scope === 'items') return { sql: 'item_id IS NOT NULL', values: [] }
  if (scope === 'jobs') return { sql: 'item_id IS NULL', values: [] }
  if ('ownerId' in scope) return { sql: 'owner_id = $3', values: [scope.ownerId] }
  return { sql: 'item_id = $3', values: [scope.itemId] }
}

/** What has its place in the log. */
const createPlacedReader = (connection: Connection): EventReader => ({
  async list({ scope, after, limit }) {
    const { sql, values } = conditionOf(scope)
    const rows = await connection.read<Row>(
      `SELECT * FROM events WHERE position > $1 AND ${sql} ORDER BY position LIMIT $2`,
      after,
      limit,
      ...values,
    )
    return rows.map(fromRow)
  },
  async chunk({ scope, after, maxCount, maxBytes }) {
    const { sql, values } = conditionOf(scope)
    // What is only measured stays where it is: the length of a long text is known without it.
    const rows = await connection.read<Row & { found: Int8 }>(
      `SELECT * FROM (
         SELECT *, count(*) OVER () AS found,
           sum(octet_length(data)) OVER (ORDER BY position) - octet_length(data) AS before
         FROM (SELECT * FROM events WHERE position > $1 AND ${sql} ORDER BY position LIMIT $2) next
       ) measured WHERE before < $${values.length + 3} ORDER BY position`,
      after,
      maxCount,
      ...values,
      maxBytes,
    )
    const complete = rows.length < maxCount && rows.length === int(rows[0]?.found ?? '0')
    return { events: rows.map(fromRow), complete }
  },
  async bounds() {
    const [row] = await connection.read<{ last: Int8; first: Int8 | null }>(
      'SELECT position AS last, (SELECT min(position) FROM events) AS first FROM events_end',
    )
    const last = int(row?.last ?? '0')
    return { last, removed: row?.first == null ? last : int(row.first) - 1 }
  },
})

/** Gives all that is committed its place before it reads: nothing will ever appear below what it answers. */
export const createEventReader = (connection: Connection): EventReader => {
  const placed = createPlacedReader(connection)
  const place = () => connection.read('SELECT place_events()')
  return {
    async list(query) {
      await place()
      return placed.list(query)
    },
    async chunk(query) {
      await place()
      return placed.chunk(query)
    },
    async bounds() {
      await place()
      return placed.bounds()
    },
  }
}

/** `onAppended` hears of each new event; what it hears is not committed yet. */
export const createEventRepository = (
  connection: Transaction,
  usage: UsageCounter,
  onAppended: () => void,
): EventRepository => ({
  ...createPlacedReader(connection),
  async append(logged) {
    const { event, createdAt } = logged
    const insert = `INSERT INTO events (event, item_id, owner_id, data, actor_id, request_id, created_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7)`
    if ('item' in logged) {
      const { item, actorId, requestId } = logged
      const data = JSON.stringify(item)
      void connection.insert(insert, event, item.id, item.ownerId, data, actorId, requestId, createdAt)
      if (event === 'item.deleted') usage.addAlways(item.ownerId, eventBytes(data))
      else usage.add(item.ownerId, eventBytes(data))
    } else void connection.insert(insert, event, null, null, JSON.stringify(logged.job), null, null, createdAt)
    onAppended()
  },
  // From the beginning of the log without a gap, though times and places can differ by a moment.
  async deleteBefore(instant, limit) {
    const gone = await connection.change<{ owner_id: Int8 | null; bytes: Int8 }>(
      `DELETE FROM events WHERE position <= (
         SELECT max(position) FROM (
           SELECT position, bool_and(created_at < $1) OVER (ORDER BY position) AS all_old FROM (
             SELECT position, created_at FROM events WHERE position IS NOT NULL ORDER BY position LIMIT $2) beginning
         ) judged WHERE all_old)
       RETURNING owner_id, ${BYTES_OF.event} AS bytes`,
      instant,
      limit,
    )
    for (const { owner_id, bytes } of gone) if (owner_id !== null) usage.add(int(owner_id), -int(bytes))
    return gone.length
  },
  async eraseOwned(ownerId, after, limit) {
    const found = await connection.lock<{ position: Int8; bytes: Int8; deleted: string | null }>(
      `SELECT position, ${BYTES_OF.event} AS bytes, CASE WHEN event = 'item.deleted' THEN data END AS deleted
       FROM events WHERE owner_id = $1 AND position > $2 ORDER BY position LIMIT $3 FOR UPDATE`,
      ownerId,
      after,
      limit,
    )
    for (const { position, bytes, deleted } of found) {
      usage.add(ownerId, -int(bytes))
      if (deleted === null) {
        void connection.change('DELETE FROM events WHERE position = $1', position)
        continue
      }
      const data = JSON.stringify(erasedItem(JSON.parse(deleted)))
      void connection.change('UPDATE events SET data = $1 WHERE position = $2', data, position)
      usage.addAlways(ownerId, eventBytes(data))
    }
    const last = found.at(-1)
    return last === undefined ? null : int(last.position)
  },
})
