import type { EventHead, EventScope, EventTally } from '../../application/ports/persistence.ts'
import { collectionNamed } from '../../domain/collections/index.ts'
import { type LoggedEvent, type NewEvent, USERS } from '../../domain/event.ts'
import { erasedRecord, isDeletion } from '../../domain/record.ts'
import type { Entity, Row } from './entity.ts'

/** Events that one search for events of a kind may skip. */
export const MAX_SCANNED_COUNT = 2_000

/** Whether the events of a scope are found by skipping others. */
export const isScanned = (scope: EventScope): boolean =>
  scope !== 'all' && !('subjectId' in scope) && scope.ownerId === undefined

/** What the log keeps of a deleted record after its owner was removed; for an unknown kind only the id. */
export const erasedData = (kind: string, data: string): string => {
  const collection = collectionNamed(kind)
  const record = JSON.parse(data)
  return JSON.stringify(collection === null ? { id: record.id } : erasedRecord(collection, record))
}

const numberOrNull = (value: unknown): number | null => (value === null ? null : Number(value))

/** The columns of an event without its content. */
export const HEAD_COLUMNS = 'kind, event, subject_id, owner_id, actor_id, request_id, session_id, created_at'

export const headOf = (row: Row): EventHead => ({
  position: Number(row.cursor),
  kind: String(row.kind),
  event: String(row.event),
  subjectId: Number(row.subject_id),
  ownerId: numberOrNull(row.owner_id),
  actorId: numberOrNull(row.actor_id),
  requestId: row.request_id === null ? null : String(row.request_id),
  sessionId: numberOrNull(row.session_id),
  createdAt: Number(row.created_at),
})

/** Written out, because it runs for every event and {@link Entity.fromRow} takes longer. */
export const eventOf = (row: Row): LoggedEvent => ({
  position: Number(row.cursor),
  kind: String(row.kind),
  event: String(row.event),
  subjectId: Number(row.subject_id),
  ownerId: numberOrNull(row.owner_id),
  data: JSON.parse(String(row.data)),
  ...(row.previous === null ? {} : { previous: JSON.parse(String(row.previous)) }),
  actorId: numberOrNull(row.actor_id),
  requestId: row.request_id === null ? null : String(row.request_id),
  sessionId: numberOrNull(row.session_id),
  createdAt: Number(row.created_at),
})

/** The events of one name after a position, as Postgres and SQLite return them. */
export interface TallyRow {
  readonly event: string
  readonly count: number | string
  readonly last: number | string
}

export const tallyOf = (rows: readonly TallyRow[], after: number, maxCount: number): EventTally => {
  const counts = rows.map(({ event, count }) => ({ event, count: Number(count) }))
  const total = counts.reduce((sum, { count }) => sum + count, 0)
  return { counts, reached: Math.max(after, ...rows.map(({ last }) => Number(last))), complete: total < maxCount }
}

/** Whether an event counts for its owner although they may have no space left: nobody can do without it. */
export const isNeverRefused = ({ event, kind }: NewEvent): boolean => isDeletion(event) || kind === USERS

/** An event as it is stored. The previous state of a created record is stored as JSON too. */
export const storedEvent = (event: NewEvent) => ({
  ...event,
  data: JSON.stringify(event.data),
  previous: event.previous === undefined ? null : JSON.stringify(event.previous),
})
