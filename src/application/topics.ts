import { type Collection, nounOf } from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import { JOBS, type LoggedEvent } from '../domain/event.ts'
import { type AuthValue, type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { bind } from '../domain/expression-binding.ts'
import { conjunctionOf } from '../domain/expression-parts.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Principal } from '../domain/session.ts'
import { requireAdmin } from './access.ts'
import type { CompiledCollection } from './catalog.ts'
import type { EventScope } from './ports/events.ts'
import type { ReadTx } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'
import type { ReadableCollection, ReadableCollections } from './readable-collections.ts'
import { fieldIs } from './record-conditions.ts'
import { createTester } from './record-tester.ts'
import { createRecordView, type RecordView } from './record-views.ts'

/** All events in a part of the log. Subscribers with the same audience see the same events. */
export interface LogView {
  readonly kind: 'log'
  readonly topic: string
  readonly audience: string
  readonly scope: EventScope
  /** Whether only an admin may see it. All other access lasts as long as the account. */
  readonly needsAdmin: boolean
  /** Whether it may see this event of the scope. Access depends on the event, not on the state at subscription. */
  sees(event: LoggedEvent): boolean
}

/** The records of a collection that meet a rule and a filter: see {@link RecordView}. */
export interface FilteredView {
  readonly kind: 'records'
  readonly topic: string
  readonly records: RecordView
  readonly scope: EventScope
  readonly definitionIds: readonly number[]
  /** Whether it shows an admin what the rule of the collection does not show everybody. */
  readonly showsOthers: boolean
}

/** The part of the log that one subscriber sees. */
export type View = LogView | FilteredView

/** Whether it shows an admin records of other users. */
export const showsOthers = (view: View): boolean =>
  view.kind === 'log' ? view.needsAdmin && view.audience !== JOBS : view.showsOthers

export interface Audience {
  readonly audience: string
  readonly topic: string
}

/** A client's request to subscribe. */
export interface TopicRequest {
  readonly topic: string
  readonly filter?: string | undefined
  /** The position from which a client resumes, if it does. */
  readonly after: number | null
  /** Whether it replaces a view of the same topic after a change of rights, under which a record may no longer be read. */
  readonly isRenewed?: boolean
}

/**
 * The topics. `NAME`: the records of a collection that the user may read, `NAME/{id}`: one record; of a
 * collection defined in code `NAME`: the user's own records, and `NAME/all`: everyone's. And `jobs`.
 */
export interface Topics {
  /** The audiences of an event and the topic each subscribed to; none for an unregistered kind. */
  audiencesOf(event: LoggedEvent): readonly Audience[]
  /**
   * What `principal` sees by a topic. Throws `not_found` for a record they may not see and for an unknown topic,
   * `forbidden` for an admin topic, `validation_failed` for a filter. A client that resumes may subscribe to a record that
   * was deleted since.
   */
  viewOf(tx: ReadTx, principal: Principal, request: TopicRequest): Promise<View>
}

interface Deps {
  /** The collections that are defined in code. */
  readonly collections: readonly Collection[]
  readonly readable: ReadableCollections
  readonly clock: Clock
}

const TOPIC = /^([a-z][a-z0-9_]*)(?:\/(all|[1-9]\d*))?$/

const seesEverything = () => true

const audienceOf = {
  owner: (kind: string, userId: number) => `${kind}/owner/${userId}`,
  all: (kind: string) => `${kind}/all`,
  subject: (kind: string, id: number) => `${kind}/${id}`,
  ownSubject: (kind: string, id: number, userId: number) => `${kind}/${id}/owner/${userId}`,
}

const noSuchTopic = () => new AppError('not_found', 'There is no such topic')

/** The last state of a record that was deleted after a position. */
const lastState = async (tx: ReadTx, kind: string, id: number, after: number): Promise<LoggedEvent | null> => {
  const scope = { kind, subjectId: id }
  const { events } = await tx.events.chunk({ scope, after, maxCount: 1, maxBytes: Number.MAX_SAFE_INTEGER })
  return events[0] ?? null
}

/** The owner of the record, or its last owner in the log. */
const ownerOf = async (tx: ReadTx, kind: string, id: number, after: number | null): Promise<number | null> => {
  const record = await tx.records(kind).findById(id)
  if (record !== null || after === null) return record?.ownerId ?? null
  return (await lastState(tx, kind, id, after))?.ownerId ?? null
}

const viewOfRecord = async (
  tx: ReadTx,
  principal: Principal,
  { collection, id, after }: { readonly collection: Collection; readonly id: number; readonly after: number | null },
): Promise<LogView> => {
  const { userId, role } = principal
  const { name } = collection
  const topic = `${name}/${id}`
  const scope = { kind: name, subjectId: id }
  const ownerId = await ownerOf(tx, name, id, after)
  if (ownerId === null || (ownerId !== userId && role !== 'admin')) throw notFound(nounOf(collection))
  if (ownerId !== userId) {
    const audience = audienceOf.subject(name, id)
    return { kind: 'log', topic, audience, scope, needsAdmin: true, sees: seesEverything }
  }
  return {
    kind: 'log',
    topic,
    audience: audienceOf.ownSubject(name, id, userId),
    scope,
    needsAdmin: false,
    sees: (event) => event.ownerId === userId,
  }
}

/** A topic of a collection that is defined in code, without a filter. */
const logViewOf = async (
  tx: ReadTx,
  principal: Principal,
  collection: Collection,
  which: string | undefined,
  after: number | null,
): Promise<LogView> => {
  const { name } = collection
  const { userId } = principal
  if (which === undefined) {
    const audience = audienceOf.owner(name, userId)
    const scope = { kind: name, ownerId: userId }
    return { kind: 'log', topic: name, audience, scope, needsAdmin: false, sees: seesEverything }
  }
  if (which !== 'all') return viewOfRecord(tx, principal, { collection, id: Number(which), after })
  requireAdmin(principal)
  const audience = audienceOf.all(name)
  return { kind: 'log', topic: `${name}/all`, audience, scope: { kind: name }, needsAdmin: true, sees: seesEverything }
}

const authOf = async (tx: ReadTx, { userId }: Principal): Promise<AuthValue | null> => {
  const user = await tx.users.findById(userId)
  return user && { id: user.id, role: user.role, email: user.email, emailVerified: user.emailVerified }
}

interface FilteredViewDeps extends Omit<Deps, 'collections'> {
  /** The collections that are defined in code, by name. */
  readonly kinds: ReadonlyMap<string, Collection>
}

/** Views of records by their rule and a filter. */
const createFilteredViews = ({ kinds, readable, clock }: FilteredViewDeps) => {
  const requireReadable = async (
    tx: ReadTx,
    { collection, storage }: ReadableCollection,
    rule: Expression,
    id: number,
    after: number | null,
  ): Promise<void> => {
    const found = await tx.records(storage).findById(id)
    const logged = found === null && after !== null ? await lastState(tx, collection.name, id, after) : null
    // The log has records as they are stored.
    const record = found ?? (logged?.data as StoredRecord | undefined)
    const bound = bind(rule, { auth: null, now: clock.now() })
    const isReadable = record !== undefined && (await createTester(tx, readable.storageOf).isTrue(bound, record))
    if (!isReadable) throw notFound(nounOf(collection))
  }

  /** The rule for one user, with the record as its only variable. */
  const ruleFor = (
    { collection, rule }: ReadableCollection,
    principal: Principal,
    auth: AuthValue | null,
    which: string | undefined,
  ): Expression => {
    if (kinds.has(collection.name)) {
      if (which === 'all') requireAdmin(principal)
      const isOwn = which === undefined || principal.role !== 'admin'
      return isOwn ? fieldIs('owner_id', principal.userId) : TRUE
    }
    return principal.role === 'admin' ? TRUE : bind(rule, { auth })
  }

  return async (
    tx: ReadTx,
    principal: Principal,
    found: ReadableCollection,
    which: string | undefined,
    { topic, filter, after, isRenewed }: TopicRequest,
  ): Promise<FilteredView> => {
    const { collection, storage, version, shape, definitionIds } = found
    const auth = await authOf(tx, principal)
    const rule = ruleFor(found, principal, auth, which)
    const id = which === undefined || which === 'all' ? null : Number(which)
    if (id !== null && isRenewed !== true) await requireReadable(tx, found, rule, id, after)
    const readRule = ({ rules }: CompiledCollection) =>
      principal.role === 'admin' ? TRUE : bind(rules.read ?? FALSE, { auth })
    const matching =
      filter === undefined ? TRUE : bind(await readable.filter(tx, found, filter, readRule), { auth: null })
    const condition = conjunctionOf([...(id === null ? [] : [fieldIs('id', id)]), rule, matching])
    const records = createRecordView({
      topic,
      collection,
      storage,
      definitions: version,
      shapes: shape,
      rule,
      condition,
    })
    const { name, rules } = collection
    const isOwn = kinds.has(name) && which === undefined
    const ofKind: EventScope = id === null ? { kind: name } : { kind: name, subjectId: id }
    const scope: EventScope = records.uses?.length === 0 ? ofKind : 'all'
    const showsOthers = principal.role === 'admin' && !isOwn && rules?.read !== 'true'
    return { kind: 'records', topic, records, scope, definitionIds, showsOthers }
  }
}

export const createTopics = ({ collections, readable, clock }: Deps): Topics => {
  const kinds = new Map(collections.map((collection) => [collection.name, collection]))
  const filteredViewOf = createFilteredViews({ kinds, readable, clock })

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

    async viewOf(tx, principal, request) {
      const { topic, filter, after } = request
      if (topic === JOBS && filter === undefined) {
        requireAdmin(principal)
        const scope = { kind: JOBS }
        return { kind: 'log', topic, audience: JOBS, scope, needsAdmin: true, sees: seesEverything }
      }
      const [, name = '', which] = TOPIC.exec(topic) ?? []
      const inCode = kinds.get(name)
      if (inCode !== undefined && filter === undefined) return logViewOf(tx, principal, inCode, which, after)
      const found = await readable.find(tx, name)
      if (found === null || (inCode === undefined && which === 'all')) throw noSuchTopic()
      return filteredViewOf(tx, principal, found, which, request)
    },
  }
}
