import { type Collection, eventName, RECORD_CHANGES, type RecordChange } from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import type { LoggedEvent } from '../domain/event.ts'
import { jobIdOf } from '../domain/job.ts'
import { isEqualJson, type Json } from '../domain/merge-patch.ts'
import { isDeletion, type StoredRecord } from '../domain/record.ts'
import type { Principal } from '../domain/session.ts'
import type { Instant, User } from '../domain/user.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { definitionMismatch } from './definition-changes.ts'
import type { ApplyPatch } from './ports/collections.ts'
import type { ReadTx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'
import {
  type Author,
  type Authorization,
  createAuthorization,
  creationRule,
  principalOf,
  requireChangeable,
} from './record-access.ts'
import type { RecordOperations } from './record-operations.ts'
import type { Expected, RecordResult } from './record-requests.ts'
import type { RecordUnits } from './record-units.ts'
import { createVersions, type Versions } from './record-versions.ts'

/** One version of a record, as the log has it. */
export interface Version {
  readonly version: number
  readonly change: RecordChange
  readonly createdAt: Instant
  /** Who made the change, with the name that account has now; null for the server, and for someone without a token. */
  readonly actor: { readonly id: number; readonly name: string | null } | null
  readonly sessionId: number | null
  /** The job that made the change; null for a request. */
  readonly jobId: number | null
  /** The fields that changed, and `owner_id`. Null if the version before is not known, or not the caller's to read. */
  readonly changes: Readonly<Record<string, FieldChange>> | null
}

export interface FieldChange {
  readonly from: Json
  readonly to: Json
}

export interface HistoryPage {
  readonly collection: Collection
  /** Newest first. May be fewer than were asked for. */
  readonly versions: readonly Version[]
  /** Where the next page begins; null on the last one. */
  readonly next: number | null
}

/** The versions of the records of every collection, for as long as the log is kept. */
export interface RecordHistory {
  /**
   * The versions that the caller may read, as each was, under the present rules. Throws `not_found` for a record that they
   * may not read, or not have read when it was deleted, and `unauthenticated`.
   */
  history(
    principal: Principal | null,
    name: string,
    id: number,
    page: { readonly size: number; readonly before: number | null },
  ): Promise<HistoryPage>
  /**
   * Throws unless the caller may change the record, or restore it if it was deleted: for use before the body of a request
   * is read.
   */
  checkRevert(principal: Principal | null, name: string, id: number): Promise<void>
  /**
   * Gives a record the fields of an earlier version, as a new version, or restores it if it was deleted. Fields that the
   * definition no longer has are left out. The caller must be allowed to change the record; to restore it, to delete and to
   * create it. Throws what a change throws, and `not_found` for a version that the log does not have.
   */
  revert(
    author: Author,
    name: string,
    id: number,
    version: number,
    options: { readonly expected: Expected },
  ): Promise<RecordResult>
}

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly units: RecordUnits
  readonly clock: Clock
  readonly operations: RecordOperations
  readonly applyPatch: ApplyPatch
}

const changeOf = (collection: Collection, { event }: LoggedEvent): RecordChange =>
  RECORD_CHANGES.find((change) => eventName(collection, change) === event) ?? 'updated'

const changesBetween = (
  { fields }: Collection,
  before: StoredRecord | null,
  after: StoredRecord,
): Readonly<Record<string, FieldChange>> => {
  const changes: Record<string, FieldChange> = {}
  const compare = (name: string, from: Json, to: Json) => {
    if (!isEqualJson(from, to)) changes[name] = { from, to }
  }
  compare('owner_id', before?.ownerId ?? null, after.ownerId)
  for (const name in fields) compare(name, before?.[name] ?? null, after[name] ?? null)
  return changes
}

/** Opens the versions of a record that the caller may read, or may have read when it was deleted. */
const createOpening =
  ({ catalog, clock, applyPatch }: Deps) =>
  async (tx: ReadTx, principal: Principal | null, name: string, id: number) => {
    const compiled = await catalog.find(tx, name)
    const versions = createVersions(tx, compiled, id, applyPatch)
    const authorization = createAuthorization(tx, catalog, principal, clock.now())
    const find = () => tx.records(compiled.storage).findById(id)
    const found = await find()
    const deletion = found === null ? await versions.deletion() : null
    // On an engine whose reads are not one snapshot, it may have been restored meanwhile.
    const current = found ?? (deletion === null ? await find() : null)
    /** The record before it was deleted; null if it was not. */
    const last = deletion === null ? null : await versions.recordOf(deletion)
    const record = await authorization.readable(compiled, last ?? current)
    return { compiled, versions, authorization, record, last }
  }

/** The actors of one page, each read once. */
const createActors = (tx: ReadTx) => {
  const known = new Map<number, Promise<User | null>>()
  return async (id: number | null): Promise<Version['actor']> => {
    if (id === null) return null
    const user = known.get(id) ?? tx.users.findById(id)
    known.set(id, user)
    return { id, name: (await user)?.name ?? null }
  }
}

const createReading = (deps: Deps): Pick<RecordHistory, 'history'> => {
  const open = createOpening(deps)

  /** The version before; null for none, and undefined if it is not known or not the caller's to read. */
  const readableBefore = async (
    authorization: Authorization,
    compiled: CompiledCollection,
    versions: Versions,
    event: LoggedEvent,
    older: LoggedEvent | undefined,
  ): Promise<StoredRecord | null | undefined> => {
    if (changeOf(compiled.collection, event) === 'created') return null
    const data = event.previous ?? (isDeletion(event.event) ? event.data : older?.data)
    if (data === undefined) return undefined
    const before = await versions.recordOf({ ...event, data })
    return (await authorization.mayRead(compiled, before)) ? before : undefined
  }

  const read = async (
    tx: ReadTx,
    principal: Principal | null,
    name: string,
    id: number,
    { size, before }: { readonly size: number; readonly before: number | null },
  ): Promise<HistoryPage> => {
    const { compiled, versions, authorization } = await open(tx, principal, name, id)
    const { collection } = compiled
    const actorOf = createActors(tx)
    const { events, complete } = await versions.newest(before, size + 1)
    // The last one is only compared with, unless it is all there is.
    const shown = complete || events.length === 1 ? events : events.slice(0, -1)
    const page: Version[] = []
    for (const [at, event] of shown.entries()) {
      const record = await versions.recordOf(event)
      if (!(await authorization.mayRead(compiled, record))) continue
      const change = changeOf(collection, event)
      const previous = await readableBefore(authorization, compiled, versions, event, events[at + 1])
      page.push({
        version: record.version,
        change,
        createdAt: event.createdAt,
        actor: await actorOf(event.actorId),
        sessionId: event.sessionId,
        jobId: event.sessionId === null ? jobIdOf(event.requestId) : null,
        changes: previous === undefined ? null : changesBetween(collection, previous, record),
      })
    }
    return { collection, versions: page, next: complete ? null : (shown.at(-1)?.position ?? null) }
  }

  return { history: (principal, name, id, page) => deps.unitOfWork.read((tx) => read(tx, principal, name, id, page)) }
}

const createReverting = (deps: Deps): Pick<RecordHistory, 'checkRevert' | 'revert'> => {
  const { catalog, unitOfWork, units, operations } = deps
  const open = createOpening(deps)

  /** A version that the caller may read. */
  const read = (author: Author, name: string, id: number, version: number) =>
    unitOfWork.read(async (tx) => {
      const { compiled, versions, authorization, last } = await open(tx, principalOf(author), name, id)
      const event = await versions.find(version)
      const found = event === null ? null : await versions.recordOf(event)
      if (found === null || !(await authorization.mayRead(compiled, found))) throw notFound('Version')
      return { last, found, shape: compiled.stored?.shape }
    })

  return {
    checkRevert: (principal, name, id) =>
      unitOfWork.read(async (tx) => {
        const { compiled, authorization, record, last } = await open(tx, principal, name, id)
        if (last === null) return requireChangeable(authorization, compiled, record)
        await authorization.authorize(compiled, 'delete', last)
        await creationRule(authorization, compiled)
      }),

    async revert(author, name, id, version, { expected }) {
      const { last, found, shape } = await read(author, name, id, version)
      return units.adding(author, async (change) => {
        const compiled = await catalog.find(change.tx, name)
        const { collection } = compiled
        // The version that was read has the form of the definition then.
        if (compiled.stored?.shape !== shape) throw definitionMismatch()
        const current = await change.tx.records(compiled.storage).findById(id)
        if (current !== null) {
          return { collection, record: await operations.revert(change, compiled, { version: found, expected }) }
        }
        if (last === null) throw new AppError('version_mismatch', `The ${collection.singular} was deleted meanwhile`)
        return { collection, record: await operations.restore(change, compiled, { last, version: found, expected }) }
      })
    },
  }
}

export const createRecordHistory = (deps: Deps): RecordHistory => ({ ...createReading(deps), ...createReverting(deps) })
