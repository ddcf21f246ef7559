import { type ReferenceAction, referencesOf } from '../domain/collection.ts'
import { AppError } from '../domain/errors.ts'
import type { Json } from '../domain/merge-patch.ts'
import { ownFields, type StoredRecord } from '../domain/record.ts'
import type { CompiledCollection, Referrer } from './catalog.ts'
import { type Change, changeRecord, deleteRecord, recordKey, storeRecords } from './record-changes.ts'
import { PendingMisfit } from './record-forms.ts'

/** How many records one transaction may delete or change. */
export const MAX_AFFECTED_COUNT = 1_000

/** Thrown inside a unit that would have to delete or change more records than one transaction may. */
export class LargeDeletion extends AppError {
  constructor() {
    super('referenced', 'Too many records depend on it: delete it by itself, not in a batch')
    this.name = 'LargeDeletion'
  }
}

/** A record, user or file. */
export interface Target {
  readonly target: string
  readonly id: number
}

export interface Targets {
  readonly target: string
  readonly ids: readonly number[]
}

interface Affected {
  readonly compiled: CompiledCollection
  readonly record: StoredRecord
}

interface Cleared extends Affected {
  /** The ids to remove, by the fields that have them. */
  readonly fields: Map<string, Set<number>>
}

/** What a deletion leads to. */
export interface Consequences {
  /** In the order in which they were found, without the deleted record itself. */
  readonly deleted: readonly Affected[]
  readonly changed: readonly { readonly compiled: CompiledCollection; before: StoredRecord; after: StoredRecord }[]
  /** Records that do not allow it: they restrict it, or would not be valid without the reference. */
  readonly restricting: readonly Affected[]
}

const cleared = ({ record, fields }: Cleared): StoredRecord => {
  const changed: Record<string, Json> = {}
  for (const [name, ids] of fields) {
    const value = record[name]
    changed[name] = Array.isArray(value) ? value.filter((id) => typeof id !== 'number' || !ids.has(id)) : null
  }
  return { ...record, ...changed }
}

/** The record without its references to something. Null if it would not be valid. */
export const clearedRecord = (found: Cleared): StoredRecord | null => {
  const { collection, validator } = found.compiled
  const after = cleared(found)
  return validator.faultsOf(ownFields(collection, after)).length === 0 ? after : null
}

/**
 * The definitions that are being prepared with references of their own: by its pending form, a record may already
 * reference what is to be deleted.
 */
export const checkPending = async ({ tx }: Change, { target, ids }: Targets): Promise<void> => {
  for (const listed of await tx.collections.all()) {
    if (listed.pending === null) continue
    const stored = await tx.collections.find(listed.collection.name)
    const pending = stored?.pending ?? null
    if (stored === null || pending === null) continue
    const records = tx.records({ ...stored, ...pending, pending: null })
    const known = new Set(stored.indexes.map((index) => index.id))
    for (const field of referencesOf(pending.collection)) {
      const index = pending.indexes.find((each) => each.isReference && each.fields[0] === field.name)
      if (field.target !== target || index === undefined || known.has(index.id)) continue
      for (const id of ids) {
        if ((await records.referencing(field.name, id, 1)).length > 0) throw new PendingMisfit(stored)
      }
    }
  }
}

/** What happens to a record that references something deleted. */
export type ActionOf = (referrer: Referrer, record: StoredRecord) => ReferenceAction

const declaredAction: ActionOf = ({ field }) => field.action

/** Null if more records are affected than one transaction may change. */
export const consequencesOf = async (
  change: Change,
  deleted: Target,
  actionOf: ActionOf = declaredAction,
): Promise<Consequences | null> => {
  const { tx, catalog } = change
  const referrers = new Map<string, readonly Referrer[]>()
  const removed = new Map<string, Affected>()
  const clearing = new Map<string, Cleared>()
  const restricting = new Map<string, Affected>()
  const queue: Target[] = [deleted]

  const take = (affected: Affected, referrer: Referrer, id: number): void => {
    const { compiled, record } = affected
    const { field } = referrer
    const key = recordKey(compiled, record.id)
    const action = actionOf(referrer, record)
    if (action === 'restrict') restricting.set(key, affected)
    else if (action === 'clear') {
      const known = clearing.get(key) ?? { ...affected, fields: new Map<string, Set<number>>() }
      known.fields.set(field.name, (known.fields.get(field.name) ?? new Set()).add(id))
      clearing.set(key, known)
    } else if (!removed.has(key) && key !== `${deleted.target}/${deleted.id}`) {
      removed.set(key, affected)
      queue.push({ target: compiled.collection.name, id: record.id })
    }
  }

  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    const { target, id } = at
    const known = referrers.get(target) ?? (await catalog.referrersOf(tx, target))
    referrers.set(target, known)
    for (const referrer of known) {
      const records = tx.records(referrer.compiled.storage)
      const found = await records.referencing(referrer.field.name, id, change.maxAffectedCount + 1)
      // Some may count already, such as a record that references itself, so the sum alone does not tell that there are more.
      if (found.length > change.maxAffectedCount) return null
      for (const record of found) take({ compiled: referrer.compiled, record }, referrer, id)
      if (removed.size + clearing.size + restricting.size > change.maxAffectedCount) return null
    }
    await checkPending(change, { target, ids: [id] })
  }

  const isGone = (key: string) => removed.has(key) || key === `${deleted.target}/${deleted.id}`
  const changed: { compiled: CompiledCollection; before: StoredRecord; after: StoredRecord }[] = []
  for (const [key, found] of clearing) {
    if (isGone(key)) continue
    const after = clearedRecord(found)
    if (after === null) restricting.set(key, found)
    else changed.push({ compiled: found.compiled, before: found.record, after })
  }
  const remaining = [...restricting].filter(([key]) => !isGone(key)).map(([, affected]) => affected)
  return { deleted: [...removed.values()], changed, restricting: remaining }
}

export const referencedBy = ({ collection }: CompiledCollection): AppError =>
  new AppError('referenced', `A record of ${collection.name} references it`)

/** Deletes and changes the records that depend on something that is deleted. */
export const applyConsequences = async (change: Change, { deleted, changed }: Consequences): Promise<void> => {
  for (const { compiled, before, after } of changed) {
    await changeRecord(change, compiled, before, { ...after, version: before.version + 1, updatedAt: change.now })
  }
  for (const { compiled, record } of deleted) await deleteRecord(change, compiled, record)
}

/**
 * Does what follows from the deletion of a record or file, as the references to it say: deletes the records that reference
 * it, clears their references, and so on. Throws `referenced` if one of them does not allow it, and
 * {@link LargeDeletion}.
 */
export const followReferences = async (change: Change, deleted: Target): Promise<void> => {
  if (change.changed.size > 0) await storeRecords(change)
  const consequences = await consequencesOf(change, deleted)
  if (consequences === null) throw new LargeDeletion()
  const [first] = consequences.restricting
  if (first !== undefined) throw referencedBy(first.compiled)
  await applyConsequences(change, consequences)
}
