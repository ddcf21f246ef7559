import type { EventReader, EventRepository, EventScope } from '../../application/ports/events.ts'
import { events } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import {
  erasedData,
  eventOf,
  HEAD_COLUMNS,
  headOf,
  isNeverRefused,
  isScanned,
  MAX_SCANNED_COUNT,
  storedEvent,
  type TallyRow,
  tallyOf,
} from '../sql/events.ts'
import { insertInto, postgresPlaceholder } from '../sql/statements.ts'
import { BYTES_OF, eventBytes, type UsageCounter } from '../sql/usage.ts'
import { type Connection, type Int8, int, type Parameter, type Transaction } from './connection.ts'

const conditionOf = (
  scope: EventScope,
  before: number,
): { readonly sql: string; readonly values: readonly Parameter[] } => {
  if (scope === 'all') return { sql: 'true', values: [] }
  if ('subjectId' in scope) return { sql: 'subject_id = $3 AND kind = $4', values: [scope.subjectId, scope.kind] }
  // No index covers the events of a kind, so the number of skipped events is bounded.
  if (isScanned(scope)) return { sql: 'position <= $3 AND kind = $4', values: [before, scope.kind] }
  return { sql: 'owner_id = $3 AND kind = $4', values: [scope.ownerId ?? 0, scope.kind] }
}

const lastOf = async (connection: Connection): Promise<number> => {
  const [end] = await connection.read<{ position: Int8 }>('SELECT position FROM events_end')
  return int(end?.position ?? '0')
}

// subject, kind, before, count, bytes
const NEWEST = `SELECT * FROM (
    SELECT *, position AS cursor, count(*) OVER () AS found, sum(size) OVER (ORDER BY position DESC) - size AS read
    FROM (
      SELECT *, octet_length(data) + coalesce(octet_length(previous), 0) AS size
      FROM events WHERE subject_id = $1 AND kind = $2 AND position < $3 ORDER BY position DESC LIMIT $4) newest
  ) measured WHERE read < $5 ORDER BY position DESC`

/** `$1` to `$3` are the position, the number and the bytes, and the rest is the condition's. */
const headsWhere = (condition: string): string => `SELECT * FROM (
    SELECT *, count(*) OVER () AS found, sum(size) OVER (ORDER BY cursor DESC) - size AS read
    FROM (
      SELECT position AS cursor, ${HEAD_COLUMNS}, octet_length(data) + coalesce(octet_length(previous), 0) AS size
      FROM events WHERE position < $1 ${condition} ORDER BY position DESC LIMIT $2) newest
  ) measured WHERE read < $3 ORDER BY cursor DESC`
const HEADS = headsWhere('')
const HEADS_OF_SUBJECT = headsWhere('AND subject_id = $4 AND kind = $5')

/** Events that have a position in the log. */
const createPlacedReader = (connection: Connection): EventReader => ({
  async chunk({ scope, after, maxCount, maxBytes }) {
    const end = isScanned(scope) ? await lastOf(connection) : null
    const before = end === null ? after : Math.min(end, after + MAX_SCANNED_COUNT)
    const { sql, values } = conditionOf(scope, before)
    // A long text is stored out of line, and its length is known without reading it.
    const rows = await connection.read<Row & { readonly found: Int8 }>(
      `SELECT * FROM (
         SELECT *, position AS cursor, count(*) OVER () AS found,
           sum(size) OVER (ORDER BY position) - size AS before
         FROM (
           SELECT *, octet_length(data) + coalesce(octet_length(previous), 0) AS size
           FROM events WHERE position > $1 AND ${sql} ORDER BY position LIMIT $2) next
       ) measured WHERE before < $${values.length + 3} ORDER BY position`,
      after,
      maxCount,
      ...values,
      maxBytes,
    )
    const isCut = rows.length === maxCount || rows.length < int(rows[0]?.found ?? '0')
    const chunk = rows.map(eventOf)
    const last = chunk.at(-1)?.position ?? after
    // Events positioned since the end was read may be among them.
    const reached = isCut ? last : Math.max(before, last)
    return { events: chunk, reached, complete: !isCut && (end === null || before >= end) }
  },
  async newestOf({ kind, subjectId, before, maxCount, maxBytes }) {
    const rows = await connection.read<Row & { readonly found: Int8 }>(
      NEWEST,
      ...[subjectId, kind, before ?? Number.MAX_SAFE_INTEGER, maxCount, maxBytes],
    )
    const isCut = rows.length === maxCount || rows.length < int(rows[0]?.found ?? '0')
    return { events: rows.map(eventOf), complete: !isCut }
  },
  async tally({ after, maxCount }) {
    const rows = await connection.read<TallyRow>(
      `SELECT event, count(*) AS count, max(position) AS last
       FROM (SELECT event, position FROM events WHERE position > $1 ORDER BY position LIMIT $2) next GROUP BY event`,
      after,
      maxCount,
    )
    return tallyOf(rows, after, maxCount)
  },
  async heads({ subject, before, maxCount, maxBytes }) {
    const limits = [before, maxCount, maxBytes] as const
    const rows = await (subject === null
      ? connection.read<Row & { readonly found: Int8 }>(HEADS, ...limits)
      : connection.read<Row & { readonly found: Int8 }>(HEADS_OF_SUBJECT, ...limits, subject.subjectId, subject.kind))
    const isCut = rows.length === maxCount || rows.length < int(rows[0]?.found ?? '0')
    return { heads: rows.map(headOf), complete: !isCut }
  },
  async latest(position) {
    const [row] = await connection.read<{ position: Int8; created_at: Int8 }>(
      'SELECT position, created_at FROM events WHERE position <= $1 ORDER BY position DESC LIMIT 1',
      position,
    )
    return row === undefined ? null : { position: int(row.position), createdAt: int(row.created_at) }
  },
  last: () => lastOf(connection),
  async bounds() {
    const [row] = await connection.read<{ last: Int8; first: Int8 | null }>(
      'SELECT position AS last, (SELECT min(position) FROM events) AS first FROM events_end',
    )
    const last = int(row?.last ?? '0')
    return { last, removed: row?.first == null ? last : int(row.first) - 1 }
  },
})

/** Assigns positions to all committed events before it reads, so that no event ever appears below the result. */
export const createEventReader = (connection: Connection): EventReader => {
  const placed = createPlacedReader(connection)
  const place = () => connection.read('SELECT place_events()')
  return {
    async tally(query) {
      await place()
      return placed.tally(query)
    },
    async chunk(query) {
      await place()
      return placed.chunk(query)
    },
    async newestOf(query) {
      await place()
      return placed.newestOf(query)
    },
    async heads(query) {
      await place()
      return placed.heads(query)
    },
    // Of events that have positions: those placed later are newer.
    latest: placed.latest,
    async last() {
      await place()
      return placed.last()
    },
    async bounds() {
      await place()
      return placed.bounds()
    },
  }
}

const INSERT = insertInto('events', events.inserted, postgresPlaceholder)

/** `onAppended` is called for each new event, before the commit. */
export const createEventRepository = (
  connection: Transaction,
  usage: UsageCounter,
  onAppended: () => void,
): EventRepository => ({
  ...createPlacedReader(connection),
  async append(appended) {
    const { ownerId } = appended
    const stored = storedEvent(appended)
    const bytes = eventBytes(stored.data, stored.previous)
    void connection.insert(INSERT, ...events.valuesOf(stored))
    if (ownerId !== null && isNeverRefused(appended)) usage.addAlways(ownerId, bytes)
    else if (ownerId !== null) usage.add(ownerId, bytes)
    onAppended()
  },
  // Removes from the beginning of the log without a gap, although the orders of times and positions can differ
  // slightly.
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
    const found = await connection.lock<{ kind: string; position: Int8; bytes: Int8; deleted: string | null }>(
      `SELECT kind, position, ${BYTES_OF.event} AS bytes, CASE WHEN event LIKE '%.deleted' THEN data END AS deleted
       FROM events WHERE owner_id = $1 AND position IS NOT NULL AND (kind, position) > ($2, $3)
       ORDER BY kind, position LIMIT $4 FOR UPDATE`,
      ownerId,
      after?.kind ?? '',
      after?.position ?? 0,
      limit,
    )
    for (const { kind, position, bytes, deleted } of found) {
      usage.add(ownerId, -int(bytes))
      if (deleted === null) {
        void connection.change('DELETE FROM events WHERE position = $1', position)
        continue
      }
      const data = erasedData(kind, deleted)
      void connection.change('UPDATE events SET data = $1, previous = NULL WHERE position = $2', data, position)
      usage.addAlways(ownerId, eventBytes(data))
    }
    const last = found.at(-1)
    return last === undefined ? null : { kind: last.kind, position: int(last.position) }
  },
})
