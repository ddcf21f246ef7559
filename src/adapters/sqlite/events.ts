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
import { insertInto } from '../sql/statements.ts'
import { BYTES_OF, eventBytes, type UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'
import { prepareChange } from './rows.ts'

interface SizedRow {
  readonly cursor: number
  readonly bytes: number
}

interface ChunkLimits {
  readonly maxCount: number
  readonly maxBytes: number
}

/** The length is stored before the text, so it is known without reading a long text. */
const SIZES = 'cursor, octet_length(data) + coalesce(octet_length(previous), 0) AS bytes'

/** How many of the rows may be read: up to the one that reaches `maxBytes`. */
const countWithin = (found: readonly SizedRow[], maxBytes: number): number => {
  let count = 0
  for (let bytes = 0; count < found.length && bytes < maxBytes; count++) bytes += found[count]?.bytes ?? 0
  return count
}

/** Reads `columns` of the events of a scope, in their order. */
const createScopedQuery = <Found>(connection: Connection, columns: string) => {
  const where = <Values extends (number | string)[]>(condition: string) =>
    connection.prepare<Found, Values>(
      `SELECT ${columns} FROM events WHERE ${condition} cursor > ? ORDER BY cursor LIMIT +?`,
    )
  const all = where<[number, number]>('')
  // No index covers the events of a kind, so the number of skipped events is bounded.
  const ofKind = where<[string, number, number, number]>('kind = +? AND cursor <= ? AND')
  const ofOwner = where<[number, string, number, number]>('owner_id = +? AND kind = +? AND')
  const ofSubject = where<[number, string, number, number]>('subject_id = +? AND kind = +? AND')
  return (scope: EventScope, after: number, before: number, limit: number): Found[] => {
    if (scope === 'all') return all.all(after, limit)
    if ('subjectId' in scope) return ofSubject.all(scope.subjectId, scope.kind, after, limit)
    if (isScanned(scope)) return ofKind.all(scope.kind, before, after, limit)
    return ofOwner.all(scope.ownerId ?? 0, scope.kind, after, limit)
  }
}

export const createEventReader = (connection: Connection): EventReader => {
  const rows = createScopedQuery<Row>(connection, '*')
  const sizes = createScopedQuery<SizedRow>(connection, SIZES)
  const backwards = <Found>(columns: string) =>
    connection.prepare<Found, [number, string, number, number]>(
      `SELECT ${columns} FROM events WHERE subject_id = +? AND kind = +? AND cursor < ? ORDER BY cursor DESC LIMIT +?`,
    )
  const newestSizes = backwards<SizedRow>(SIZES)
  const newestRows = backwards<Row>('*')
  const newestHeads = backwards<Row>(`cursor, ${HEAD_COLUMNS}`)
  const before = <Found>(columns: string) =>
    connection.prepare<Found, [number, number]>(
      `SELECT ${columns} FROM events WHERE cursor < ? ORDER BY cursor DESC LIMIT +?`,
    )
  const sizesBefore = before<SizedRow>(SIZES)
  const headsBefore = before<Row>(`cursor, ${HEAD_COLUMNS}`)
  const latest = connection.prepare<{ position: number; createdAt: number }, [number]>(
    'SELECT cursor AS position, created_at AS "createdAt" FROM events WHERE cursor <= ? ORDER BY cursor DESC LIMIT 1',
  )
  const rowsWithin = (scope: EventScope, after: number, before: number, limits: ChunkLimits) => {
    const { maxCount, maxBytes } = limits
    // Most often there is only one, whose size does not matter.
    const first = rows(scope, after, before, Math.min(maxCount, 2))
    if (first.length < 2) return { found: first, isCut: first.length === maxCount }
    const sized = sizes(scope, after, before, maxCount)
    const count = countWithin(sized, maxBytes)
    return { found: rows(scope, after, before, count), isCut: count < sized.length || count === maxCount }
  }
  const names = connection.prepare<TallyRow, [number, number]>(
    `SELECT event, count(*) AS count, max(cursor) AS last
     FROM (SELECT event, cursor FROM events WHERE cursor > ? ORDER BY cursor LIMIT +?) GROUP BY event`,
  )
  const newest = connection.prepare<{ cursor: number }, []>(
    "SELECT seq AS cursor FROM sqlite_sequence WHERE name = 'events'",
  )
  const oldest = connection.prepare<{ cursor: number | null }, []>('SELECT min(cursor) AS cursor FROM events')
  const last = () => newest.get()?.cursor ?? 0

  return {
    tally: async ({ after, maxCount }) => tallyOf(names.all(after, maxCount), after, maxCount),
    async chunk({ scope, after, maxCount, maxBytes }) {
      const end = isScanned(scope) ? last() : null
      const before = end === null ? after : Math.min(end, after + MAX_SCANNED_COUNT)
      const { found, isCut } = rowsWithin(scope, after, before, { maxCount, maxBytes })
      const chunk = found.map(eventOf)
      const newest = chunk.at(-1)?.position ?? after
      const reached = isCut ? newest : Math.max(before, newest)
      return { events: chunk, reached, complete: !isCut && (end === null || before >= end) }
    },
    async newestOf({ kind, subjectId, before, maxCount, maxBytes }) {
      const end = before ?? Number.MAX_SAFE_INTEGER
      const found = newestSizes.all(subjectId, kind, end, maxCount)
      const count = countWithin(found, maxBytes)
      const events = count === 0 ? [] : newestRows.all(subjectId, kind, end, count).map(eventOf)
      return { events, complete: count === found.length && count < maxCount }
    },
    async heads({ subject, before: end, maxCount, maxBytes }) {
      const found =
        subject === null
          ? sizesBefore.all(end, maxCount)
          : newestSizes.all(subject.subjectId, subject.kind, end, maxCount)
      const count = countWithin(found, maxBytes)
      const rows =
        subject === null ? headsBefore.all(end, count) : newestHeads.all(subject.subjectId, subject.kind, end, count)
      return { heads: rows.map(headOf), complete: count === found.length && count < maxCount }
    },
    latest: async (position) => latest.get(position),
    last: async () => last(),
    async bounds() {
      const end = last()
      return { last: end, removed: (oldest.get()?.cursor ?? end + 1) - 1 }
    },
  }
}

/** `onAppended` is called for each new event, which is not committed yet. */
export const createEventRepository = (
  connection: Connection,
  usage: UsageCounter,
  onAppended: () => void,
): EventRepository => {
  const append = prepareChange(connection, insertInto('events', events.inserted))
  // Removes from the beginning of the log without a gap, even if the clock was set back.
  const old = connection.prepare<{ owner_id: number | null; bytes: number }, [number, number]>(
    `DELETE FROM events WHERE cursor IN (
       SELECT cursor FROM (
         SELECT cursor, max(created_at) OVER (ORDER BY cursor) AS latest FROM (
           SELECT cursor, created_at FROM events ORDER BY cursor LIMIT +?)
       ) WHERE latest < ?)
     RETURNING owner_id, ${BYTES_OF.event} AS bytes`,
  )
  const owned = connection.prepare<
    SizedRow & { readonly kind: string; readonly deleted: string | null },
    [number, string, number, number]
  >(
    `SELECT kind, cursor, ${BYTES_OF.event} AS bytes, iif(event LIKE '%.deleted', data, NULL) AS deleted
     FROM events WHERE owner_id = +? AND (kind, cursor) > (+?, +?) ORDER BY kind, cursor LIMIT +?`,
  )
  const remove = prepareChange(connection, 'DELETE FROM events WHERE cursor = ?')
  const replace = prepareChange(connection, 'UPDATE events SET data = ?, previous = NULL WHERE cursor = ?')
  return {
    ...createEventReader(connection),
    async append(appended) {
      const { ownerId } = appended
      const stored = storedEvent(appended)
      const bytes = eventBytes(stored.data, stored.previous)
      append(...events.valuesOf(stored))
      if (ownerId !== null && isNeverRefused(appended)) usage.addAlways(ownerId, bytes)
      else if (ownerId !== null) usage.add(ownerId, bytes)
      onAppended()
    },
    async deleteBefore(instant, limit) {
      const gone = old.all(limit, instant)
      for (const { owner_id, bytes } of gone) if (owner_id !== null) usage.add(owner_id, -bytes)
      return gone.length
    },
    async eraseOwned(ownerId, after, limit) {
      const found = owned.all(ownerId, after?.kind ?? '', after?.position ?? 0, limit)
      for (const { kind, cursor, bytes, deleted } of found) {
        usage.add(ownerId, -bytes)
        if (deleted === null) {
          remove(cursor)
          continue
        }
        const data = erasedData(kind, deleted)
        replace(data, cursor)
        usage.addAlways(ownerId, eventBytes(data))
      }
      const last = found.at(-1)
      return last === undefined ? null : { kind: last.kind, position: last.cursor }
    },
  }
}
