import { AppError, notFound } from '../domain/errors.ts'
import type { LoggedEvent } from '../domain/event.ts'
import type { Principal } from '../domain/session.ts'
import { requireAdmin } from './access.ts'
import type { EventScope, ReadTx } from './ports/persistence.ts'

/** What one subscriber sees of the log. Subscribers with the same audience see the same events. */
export interface View {
  readonly topic: string
  readonly audience: string
  readonly scope: EventScope
  /** Whether only an admin may see it. Any other right to it lasts as long as the account. */
  readonly needsAdmin: boolean
  /** Whether it may be shown this event of the scope: rights are those of the event, not of the subscription. */
  sees(event: LoggedEvent): boolean
}

const ownersOf = (userId: number) => `owner/${userId}`
const itemOf = (id: number) => `item/${id}`
const ownItemOf = (id: number, userId: number) => `${itemOf(id)}/${ownersOf(userId)}`
const EVERYONES = 'all'
const JOBS = 'jobs'

/** Who is to hear of an event, and by which topic they asked for it. */
export const audiencesOf = (event: LoggedEvent): readonly { readonly audience: string; readonly topic: string }[] => {
  if ('job' in event) return [{ audience: JOBS, topic: 'jobs' }]
  const { item } = event
  return [
    { audience: ownersOf(item.ownerId), topic: 'items' },
    { audience: EVERYONES, topic: 'items/all' },
    { audience: itemOf(item.id), topic: `items/${item.id}` },
    { audience: ownItemOf(item.id, item.ownerId), topic: `items/${item.id}` },
  ]
}

/** Who owns the item, or owned it when the log last spoke of it. */
const ownerOf = async (tx: ReadTx, id: number, after: number | null): Promise<number | null> => {
  const item = await tx.items.findById(id)
  if (item !== null || after === null) return item?.ownerId ?? null
  const [event] = await tx.events.list({ scope: { itemId: id }, after, limit: 1 })
  return event !== undefined && 'item' in event ? event.item.ownerId : null
}

const viewOfItem = async (tx: ReadTx, principal: Principal, id: number, after: number | null): Promise<View> => {
  const { userId, role } = principal
  const topic = `items/${id}`
  const ownerId = await ownerOf(tx, id, after)
  if (ownerId === null || (ownerId !== userId && role !== 'admin')) throw notFound('Item')
  if (ownerId !== userId) {
    return { topic, audience: itemOf(id), scope: { itemId: id }, needsAdmin: true, sees: () => true }
  }
  return {
    topic,
    audience: ownItemOf(id, userId),
    scope: { itemId: id },
    needsAdmin: false,
    sees: (event) => 'item' in event && event.item.ownerId === userId,
  }
}

/**
 * What `principal` sees by this topic: `items` their own, `items/{id}` one they may see (else `not_found`), `items/all`
 * and `jobs` for admins (else `forbidden`). Who resumes `after` a cursor may ask for an item that is gone since.
 */
export const viewOf = async (
  tx: ReadTx,
  principal: Principal,
  topic: string,
  after: number | null = null,
): Promise<View> => {
  const { userId } = principal
  if (topic === 'items') {
    return { topic, audience: ownersOf(userId), scope: { ownerId: userId }, needsAdmin: false, sees: () => true }
  }
  const id = /^items\/(\d+)$/.exec(topic)?.[1]
  if (id !== undefined) return viewOfItem(tx, principal, Number(id), after)
  if (topic !== 'items/all' && topic !== 'jobs') throw new AppError('not_found', 'There is no such topic')
  requireAdmin(principal)
  if (topic === 'items/all') return { topic, audience: EVERYONES, scope: 'items', needsAdmin: true, sees: () => true }
  return { topic, audience: JOBS, scope: 'jobs', needsAdmin: true, sees: () => true }
}
