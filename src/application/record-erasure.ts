import { erasedRecord, type StoredRecord } from '../domain/record.ts'
import type { Catalog, CompiledCollection, Referrer } from './catalog.ts'
import { anyRecord } from './file-access.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import {
  type Change,
  type ChangeAuthor,
  changeRecord,
  currentRecord,
  noteErased,
  noteReleased,
} from './record-changes.ts'
import { type ActionOf, applyConsequences, clearedRecord, consequencesOf, type Target } from './record-deletions.ts'
import type { RecordUnits } from './record-units.ts'

/** Records of one unit: they may be large. */
const MAX_SLICE_COUNT = 50
/** How many records that keep their reference are looked past. */
const MAX_KEPT_COUNT = 1_000

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly catalog: Catalog
  readonly units: RecordUnits
}

/** Removes, in short units, what a deleted account leaves in records. Each step can be repeated after a crash. */
export interface RecordErasure {
  /** Deletes the records of a user, or leaves them without an owner, as their collections say. */
  forgetOwned(signal: AbortSignal): Promise<void>
  /**
   * Clears the references to what was or will be deleted, and deletes the records that depend on it. A reference that
   * restricts the deletion is cleared too, because the account cannot wait; where the schema does not allow that, it stays
   * and leads nowhere.
   */
  forgetReferences(target: Target, signal: AbortSignal): Promise<void>
}

const keyOf = ({ target, id }: Target): string => `${target}/${id}`

/** Other records of the user do not restrict anything: they are deleted too. */
const actionFor =
  (userId: number): ActionOf =>
  ({ compiled, field }, { ownerId }) =>
    field.action === 'restrict' && ownerId === userId && compiled.collection.owner !== 'keep' ? 'cascade' : field.action

/** Deletes a record in one unit. False if too many others depend on it. */
const eraseAtOnce = async (
  change: Change,
  compiled: CompiledCollection,
  id: number,
  actionOf: ActionOf,
): Promise<boolean> => {
  const record = await currentRecord(change, compiled, id)
  if (record === null) return true
  const consequences = await consequencesOf(change, { target: compiled.collection.name, id }, actionOf)
  if (consequences === null) return false
  if (consequences.restricting.length > 0) {
    await release(change, compiled, record)
    return true
  }
  await applyConsequences(change, consequences)
  await change.tx.records(compiled.storage).delete(id)
  noteErased(change, compiled, record, erasedRecord(compiled.collection, record))
  return true
}

const release = (change: Change, compiled: CompiledCollection, record: StoredRecord): Promise<StoredRecord> =>
  changeRecord(change, compiled, record, {
    ...record,
    ownerId: null,
    version: record.version + 1,
    updatedAt: change.now,
  })

/** Clears references in one unit. Returns the records to delete, and those that keep their reference. */
const clearSome = async (change: Change, referrer: Referrer, id: number, limit: number, actionOf: ActionOf) => {
  const { field } = referrer
  const compiled = await change.catalog.find(change.tx, referrer.compiled.collection.name)
  const found = await change.tx.records(compiled.storage).referencing(field.name, id, limit)
  const kept: number[] = []
  const dependent: number[] = []
  for (const record of found) {
    if (actionOf(referrer, record) === 'cascade') {
      dependent.push(record.id)
      continue
    }
    const after = clearedRecord({ compiled, record, fields: new Map([[field.name, new Set([id])]]) })
    if (after === null) kept.push(record.id)
    else await changeRecord(change, compiled, record, { ...after, version: record.version + 1, updatedAt: change.now })
  }
  return { dependent, kept, isLast: found.length < limit }
}

/** Deletes single records of a user, with what depends on them, and clears references. */
const createEraser = ({ unitOfWork, catalog, units }: Deps, userId: number, logged: ChangeAuthor) => {
  const actionOf = actionFor(userId)
  const referrersOf = (target: string) => unitOfWork.read((tx) => catalog.referrersOf(tx, target))

  /** `open` are the records that are being erased because of each other. */
  const forgetReferences = async (target: Target, signal: AbortSignal, open: ReadonlySet<string>): Promise<void> => {
    for (const referrer of await referrersOf(target.target)) {
      let skipped = 0
      for (let isLast = false; !isLast && skipped <= MAX_KEPT_COUNT; ) {
        signal.throwIfAborted()
        const limit = MAX_SLICE_COUNT + skipped
        const some = await units.serving(logged, (change) => clearSome(change, referrer, target.id, limit, actionOf))
        const { name } = referrer.compiled.collection
        const dependent = some.dependent.filter((id) => !open.has(keyOf({ target: name, id })))
        for (const id of dependent) await erase(referrer.compiled, id, signal, open)
        skipped = some.kept.length + some.dependent.length - dependent.length
        isLast = some.isLast
      }
    }
  }

  const erase = async (
    compiled: CompiledCollection,
    id: number,
    signal: AbortSignal,
    open: ReadonlySet<string>,
  ): Promise<void> => {
    const { name } = compiled.collection
    const attempt = () =>
      units.serving(logged, async (change) => eraseAtOnce(change, await catalog.find(change.tx, name), id, actionOf))
    if (await attempt()) return
    const target = { target: name, id }
    await forgetReferences(target, signal, new Set([...open, keyOf(target)]))
    if (await attempt()) return
    // Others still depend on it.
    await units.serving(logged, async (change) => {
      const current = await catalog.find(change.tx, name)
      const record = await currentRecord(change, current, id)
      if (record !== null) await release(change, current, record)
    })
  }

  return {
    erase: (compiled: CompiledCollection, id: number, signal: AbortSignal) => erase(compiled, id, signal, new Set()),
    forgetReferences: (target: Target, signal: AbortSignal) => forgetReferences(target, signal, new Set()),
    isReferenced: async (name: string) => (await referrersOf(name)).length > 0,
  }
}

export const createRecordErasure = (deps: Deps, userId: number, logged: ChangeAuthor): RecordErasure => {
  const { unitOfWork, catalog, units } = deps
  const eraser = createEraser(deps, userId, logged)

  /** A slice of the records of a user. Returns how many there were. */
  const deleteSome = (name: string): Promise<number> =>
    units.serving(logged, async (change) => {
      const compiled = await catalog.find(change.tx, name)
      const removed = await change.tx.records(compiled.storage).deleteOwned(userId, MAX_SLICE_COUNT)
      for (const record of removed) noteErased(change, compiled, record, erasedRecord(compiled.collection, record))
      return removed.length
    })

  const releaseSome = (name: string): Promise<number> =>
    units.serving(logged, async (change) => {
      const compiled = await catalog.find(change.tx, name)
      const released = await change.tx.records(compiled.storage).releaseOwned(userId, MAX_SLICE_COUNT, change.now)
      for (const record of released) {
        noteReleased(change, compiled, { ...record, ownerId: userId, version: record.version - 1 }, record)
      }
      return released.length
    })

  /** Records that others reference are erased one by one. */
  const eraseSome = async (compiled: CompiledCollection, signal: AbortSignal): Promise<number> => {
    const { items } = await unitOfWork.read((tx) =>
      tx.records(compiled.storage).list({ ...anyRecord(null, userId), ownerId: userId, size: MAX_SLICE_COUNT }),
    )
    for (const { id } of items) {
      signal.throwIfAborted()
      await eraser.erase(compiled, id, signal)
    }
    return items.length
  }

  return {
    async forgetOwned(signal) {
      for (const compiled of await unitOfWork.read((tx) => catalog.all(tx))) {
        const { collection } = compiled
        const { name } = collection
        const isKept = collection.owner === 'keep'
        const isFollowed = !isKept && (await eraser.isReferenced(name))
        const step = () => {
          if (isKept) return releaseSome(name)
          return isFollowed ? eraseSome(compiled, signal) : deleteSome(name)
        }
        do signal.throwIfAborted()
        while ((await step()) > 0)
      }
    },
    forgetReferences: eraser.forgetReferences,
  }
}
