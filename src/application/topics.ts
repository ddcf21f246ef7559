import { type Collection, nounOf } from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import { JOBS, type LoggedEvent } from '../domain/event.ts'
import type { Principal } from '../domain/session.ts'
import { requireAdmin } from './access.ts'
import type { EventScope, ReadTx } from './ports/persistence.ts'

/** What one subscriber sees of the log. Subscribers with the same audience see the same events. */
export interface View {
  readonly topic: string
  readonly audience: string
  readonly scope: EventScope
  /** Whether only an admin may see it. All other access lasts as long as the account. */
  readonly needsAdmin: boolean
  /** Whether it may see this event of the scope. Access depends on the event, not on the state at subscription. */
  sees(event: LoggedEvent): boolean
}

export interface Audience {
  readonly audience: string
  readonly topic: string
}

/**
 * What can be subscribed to: `NAME` the user's own records of a collection, `NAME/{id}` one record, `NAME/all`
 * everyone's records, and `jobs`.
 */
export interface Topics {
  /** The audiences of an event and the topic each subscribed to; none for an unregistered kind. */
  audiencesOf(event: LoggedEvent): readonly Audience[]
  /**
   * What `principal` sees by a topic. Throws `not_found` for a record they may not see and for an unknown topic,
   * `forbidden` for an admin topic. A client that resumes `after` a cursor may subscribe to a record that was deleted
   * since.
   */
  viewOf(tx: ReadTx, principal: Principal, topic: string, after: number | null): Promise<View>
}

const OWNED = /^([a-z][a-z0-9_]*)(?:\/(all|[1-9]\d*))?$/

const seesEverything = () => true

const audienceOf = {
  owner: (kind: string, userId: number) => `${kind}/owner/${userId}`,
  all: (kind: string) => `${kind}/all`,
  subject: (kind: string, id: number) => `${kind}/${id}`,
  ownSubject: (kind: string, id: number, userId: number) => `${kind}/${id}/owner/${userId}`,
}

/** The owner of the record, or its last owner in the log. */
const ownerOf = async (tx: ReadTx, kind: string, id: number, after: number | null): Promise<number | null> => {
  const record = await tx.records(kind).findById(id)
  if (record !== null || after === null) return record?.ownerId ?? null
  const scope = { kind, subjectId: id }
  const { events } = await tx.events.chunk({ scope, after, maxCount: 1, maxBytes: Number.MAX_SAFE_INTEGER })
  return events[0]?.ownerId ?? null
}

const viewOfRecord = async (
  tx: ReadTx,
  principal: Principal,
  { collection, id, after }: { readonly collection: Collection; readonly id: number; readonly after: number | null },
): Promise<View> => {
  const { userId, role } = principal
  const { name: kind } = collection
  const topic = `${kind}/${id}`
  const scope = { kind, subjectId: id }
  const ownerId = await ownerOf(tx, kind, id, after)
  if (ownerId === null || (ownerId !== userId && role !== 'admin')) throw notFound(nounOf(collection))
  if (ownerId !== userId) {
    return { topic, audience: audienceOf.subject(kind, id), scope, needsAdmin: true, sees: seesEverything }
  }
  return {
    topic,
    audience: audienceOf.ownSubject(kind, id, userId),
    scope,
    needsAdmin: false,
    sees: (event) => event.ownerId === userId,
  }
}

export const createTopics = (collections: readonly Collection[]): Topics => {
  const kinds = new Map(collections.map((collection) => [collection.name, collection]))

  return {
    audiencesOf({ kind, subjectId, ownerId }) {
      if (kind === JOBS) return [{ audience: JOBS, topic: JOBS }]
      if (!kinds.has(kind)) return []
      const topic = `${kind}/${subjectId}`
      const owners =
        ownerId === null
          ? []
          : [
              { audience: audienceOf.owner(kind, ownerId), topic: kind },
              { audience: audienceOf.ownSubject(kind, subjectId, ownerId), topic },
            ]
      return [
        ...owners,
        { audience: audienceOf.subject(kind, subjectId), topic },
        { audience: audienceOf.all(kind), topic: `${kind}/all` },
      ]
    },

    async viewOf(tx, principal, topic, after) {
      if (topic === JOBS) {
        requireAdmin(principal)
        return { topic, audience: JOBS, scope: { kind: JOBS }, needsAdmin: true, sees: seesEverything }
      }
      const [, kind = '', which] = OWNED.exec(topic) ?? []
      const collection = kinds.get(kind)
      if (collection === undefined) throw new AppError('not_found', 'There is no such topic')
      const { userId } = principal
      if (which === undefined) {
        const scope = { kind, ownerId: userId }
        return { topic, audience: audienceOf.owner(kind, userId), scope, needsAdmin: false, sees: seesEverything }
      }
      if (which !== 'all') return viewOfRecord(tx, principal, { collection, id: Number(which), after })
      requireAdmin(principal)
      return { topic, audience: audienceOf.all(kind), scope: { kind }, needsAdmin: true, sees: seesEverything }
    },
  }
}
