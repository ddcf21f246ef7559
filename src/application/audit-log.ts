import { type AuditEntry, type AuditFilter, actionsOf, LOGGED_ACTIONS, type LoggedAction } from '../domain/audit.ts'
import { DEFINITIONS, FILES, JOBS, USERS } from '../domain/event.ts'
import { isCounted, type Page, type PageRequest, pageTooDeep, skippedRowCount } from '../domain/page.ts'
import type { Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import { requireAdmin } from './access.ts'
import type { AuditScope } from './ports/audit.ts'
import type { EventHead } from './ports/events.ts'
import type { ReadTx, UnitOfWork } from './ports/persistence.ts'

export type AuditQuery = PageRequest<'created_at'> & AuditFilter

/** The audit log, for admins. */
export interface AuditLog {
  /**
   * The entries of the audit log together with the changes of records in the log of changes, newest first. A page by
   * position may have fewer entries than requested, even none, and still have a next one, if finding more would take
   * long. Throws `forbidden` unless the actor is an admin, `page_too_deep`.
   */
  list(actor: Principal, query: AuditQuery): Promise<Page<AuditEntry>>
}

/** Entries that the server reads for one page by number, and counts for its total, in each of the two logs. */
const MAX_WINDOW_COUNT = 2_000
const MAX_SCANNED_COUNT = 2_000
/** Content of events that is skipped for one page. */
const MAX_SCANNED_BYTES = 4_000_000

/** Times are in the order of entries only up to this, because transactions and the clocks of servers overlap. */
const MAX_DISORDER_MS = 60_000

/** No position is greater. */
const END = Number.MAX_SAFE_INTEGER - 1

/** An entry, and its position in the log that it comes from. */
interface Found {
  readonly position: number
  readonly entry: AuditEntry
}

/** Entries of one log, newest first. */
interface Stretch {
  readonly found: readonly Found[]
  /** It contains all selected entries from this position on; null if there are none before it. */
  readonly reached: number | null
}

const meets = ({ actorId, action, subject, since, until }: AuditFilter) => {
  const actions = actionsOf({ action })
  return (entry: AuditEntry): boolean =>
    (actorId === null || entry.actorId === actorId) &&
    (actions === null || actions.includes(entry.action)) &&
    (subject === null || entry.subject === subject) &&
    (since === null || entry.createdAt >= since) &&
    (until === null || entry.createdAt <= until)
}

/** Whether everything older is before the first time to include. */
const isOver = (createdAt: Instant | undefined, { since }: AuditFilter): boolean =>
  since !== null && createdAt !== undefined && createdAt < since - MAX_DISORDER_MS

/** Keeps the entries that the filter selects. `isComplete`: the log has none that are older. */
const stretchOf = (read: readonly Found[], filter: AuditFilter, isComplete: boolean, limit: number): Stretch => {
  const isSelected = meets(filter)
  const found = read.filter(({ entry }) => isSelected(entry))
  const last = read.at(-1)
  if (found.length > limit) {
    const kept = found.slice(0, limit)
    return { found: kept, reached: kept.at(-1)?.position ?? null }
  }
  const ended = isComplete || last === undefined || isOver(last.entry.createdAt, filter)
  return { found, reached: ended ? null : last.position }
}

/** Limits of the read of one log for a page. */
interface Limits {
  /** Entries that the filter selects. */
  readonly limit: number
  readonly maxScannedCount: number
}

const scopeOf = (filter: AuditFilter): AuditScope => {
  if (filter.subject !== null) return { subject: filter.subject }
  if (filter.actorId !== null) return { actorId: filter.actorId }
  const actions = actionsOf(filter)
  return actions === null ? 'all' : { actions }
}

/** Whether the index finds exactly what the filter selects, up to its times. */
const isExact = ({ subject, actorId, action }: AuditFilter): boolean =>
  [subject, actorId, action].filter((value) => value !== null).length <= 1

const readAudit = async (
  tx: ReadTx,
  filter: AuditFilter,
  before: number,
  { limit, maxScannedCount }: Limits,
): Promise<Stretch> => {
  const readCount = isExact(filter) ? limit : maxScannedCount
  const entries = await tx.audit.newest({ scope: scopeOf(filter), before, limit: readCount })
  // Ids of changes of records and of other entries differ.
  const read = entries.map((entry) => ({ position: entry.id, entry: { ...entry, id: 2 * entry.id } }))
  return stretchOf(read, filter, entries.length < readCount, limit)
}

const isRecordKind = ({ kind }: Pick<EventHead, 'kind'>): boolean => ![JOBS, DEFINITIONS, USERS, FILES].includes(kind)

const loggedAction = (event: string): LoggedAction | undefined =>
  LOGGED_ACTIONS.find((action) => action === `record.${event.slice(event.lastIndexOf('.') + 1)}`)

/** A change of a record; null for other events. */
const entryOf = (head: EventHead): AuditEntry | null => {
  const action = isRecordKind(head) ? loggedAction(head.event) : undefined
  if (action === undefined) return null
  const { position, createdAt, actorId, sessionId, requestId, kind, subjectId } = head
  const subject = `${kind}/${subjectId}`
  const origin = { actorId, sessionId, requestId, address: null }
  return { id: 2 * position + 1, createdAt, action, subject, ...origin, details: {}, count: 1, lastAt: createdAt }
}

/** The record that a filter names; undefined if it names something else. */
const subjectOf = ({ subject }: AuditFilter) => {
  if (subject === null) return null
  const [, kind, id] = /^([a-z][a-z0-9_]{0,62})\/([1-9]\d{0,14})$/.exec(subject) ?? []
  return kind !== undefined && isRecordKind({ kind }) ? { kind, subjectId: Number(id) } : undefined
}

const NOTHING: Stretch = { found: [], reached: null }

const readEvents = async (
  tx: ReadTx,
  filter: AuditFilter,
  before: number,
  { limit, maxScannedCount }: Limits,
): Promise<Stretch> => {
  const actions = actionsOf(filter)
  if (actions !== null && !LOGGED_ACTIONS.some((action) => actions.includes(action))) return NOTHING
  const subject = subjectOf(filter)
  if (subject === undefined) return NOTHING
  const query = { subject, before, maxCount: maxScannedCount, maxBytes: MAX_SCANNED_BYTES }
  const { heads, complete } = await tx.events.heads(query)
  const read: Found[] = []
  for (const head of heads) {
    const entry = entryOf(head)
    if (entry !== null) read.push({ position: head.position, entry })
  }
  const stretch = stretchOf(read, filter, complete, limit)
  const last = heads.at(-1)
  if (complete || stretch.found.length === limit || last === undefined || isOver(last.createdAt, filter)) return stretch
  // Events that are not shown are skipped too.
  return { ...stretch, reached: last.position }
}

/**
 * The position from which on everything is later than an instant, by a binary search. `latest` finds the newest entry at
 * or before a position.
 */
const positionAfter = async (
  until: Instant,
  latest: (position: number) => Promise<{ readonly position: number; readonly createdAt: Instant } | null>,
): Promise<number> => {
  let end = (await latest(END))?.position ?? 0
  let start = 0
  // Everything from `end + 1` on is later, and everything up to `start` is not.
  while (start < end) {
    const middle = Math.ceil((start + end) / 2)
    const found = await latest(middle)
    if (found === null || found.createdAt <= until + MAX_DISORDER_MS) start = middle
    else end = found.position - 1
  }
  return start + 1
}

/** Where to begin in both logs. */
interface Starts {
  readonly audit: number
  readonly events: number
}

const startsOf = async (tx: ReadTx, { from, until }: AuditQuery): Promise<Starts> => {
  if ('after' in from) return { audit: Number(from.after.key), events: from.after.id }
  // On an engine that assigns positions to events later, all events have one now.
  if (until === null) return { audit: END, events: END }
  await tx.events.last()
  const audit = await positionAfter(until, async (id) => {
    const found = await tx.audit.latest(id)
    return found && { position: found.id, createdAt: found.createdAt }
  })
  return { audit, events: await positionAfter(until, tx.events.latest) }
}

interface Merged {
  readonly entries: readonly AuditEntry[]
  /** Where both logs continue. */
  readonly next: Starts
  readonly isComplete: boolean
}

/**
 * The entries of both logs by time, up to `limit`, and only as far as both were read. Each log keeps its own order, even
 * if clocks were set back, so nothing is left out or shown twice.
 */
const merge = (audit: Stretch, events: Stretch, starts: Starts, limit: number): Merged => {
  const entries: AuditEntry[] = []
  const next = { audit: starts.audit, events: starts.events }
  let fromAudit = 0
  let fromEvents = 0
  const isMissing = (stretch: Stretch, taken: number) => stretch.found[taken] === undefined && stretch.reached !== null
  while (entries.length < limit && !isMissing(audit, fromAudit) && !isMissing(events, fromEvents)) {
    const one = audit.found[fromAudit]
    const other = events.found[fromEvents]
    if (one !== undefined && (other === undefined || one.entry.createdAt >= other.entry.createdAt)) {
      entries.push(one.entry)
      next.audit = one.position
      fromAudit++
    } else if (other !== undefined) {
      entries.push(other.entry)
      next.events = other.position
      fromEvents++
    } else break
  }
  if (fromAudit === audit.found.length) next.audit = audit.reached ?? 0
  if (fromEvents === events.found.length) next.events = events.reached ?? 0
  return { entries, next, isComplete: next.audit === 0 && next.events === 0 }
}

interface Deps {
  readonly unitOfWork: Pick<UnitOfWork, 'read'>
  /** How many entries of one log may be skipped for a page. */
  readonly maxScannedCount?: number
}

export const createAuditLog = ({ unitOfWork, maxScannedCount = MAX_SCANNED_COUNT }: Deps): AuditLog => ({
  async list(actor, query) {
    requireAdmin(actor)
    const { size, from } = query
    const skipped = skippedRowCount(query)
    if (skipped + size > MAX_WINDOW_COUNT) throw pageTooDeep()
    const limit = isCounted(query) ? MAX_WINDOW_COUNT : skipped + size
    // One more shows whether there is a next page.
    const limits = { limit: limit + 1, maxScannedCount }
    return unitOfWork.read(async (tx) => {
      const starts = await startsOf(tx, query)
      const [audit, events] = [
        await readAudit(tx, query, starts.audit, limits),
        await readEvents(tx, query, starts.events, limits),
      ]
      const page = merge(audit, events, starts, skipped + size)
      if (skipped > page.entries.length && !page.isComplete) throw pageTooDeep()
      const { next, isComplete } = page
      const items = page.entries.slice(skipped)
      const position = isComplete ? null : { key: next.audit, id: next.events }
      if ('after' in from || !isCounted(query)) return { items, total: null, next: position }
      const counted = merge(audit, events, starts, limit + 1)
      const total = counted.entries.length
      return counted.isComplete
        ? { items, total, next: position }
        : { items, total: null, totalAtLeast: total, next: position }
    })
  },
})
