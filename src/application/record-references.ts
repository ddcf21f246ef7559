import type { ReferenceField } from '../domain/collection.ts'
import { AppError, type Fault } from '../domain/errors.ts'
import type { Json } from '../domain/merge-patch.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { ruleFor } from './record-access.ts'
import {
  type Change,
  currentRecord,
  deleteRecord,
  type PendingForm,
  putChanged,
  storeRecords,
} from './record-changes.ts'

/** How many records one deletion may delete or change in other collections. */
const MAX_AFFECTED_COUNT = 1_000

interface Reference {
  readonly id: number
  readonly pointer: string
}

const idsIn = (value: Json | undefined): readonly number[] =>
  (Array.isArray(value) ? value : [value]).filter((id) => typeof id === 'number')

/** The references of a record that it did not have before. */
const newReferences = (
  { name, isList }: ReferenceField,
  record: Readonly<Record<string, Json>>,
  before: StoredRecord | null,
): readonly Reference[] => {
  const known = new Set(idsIn(before?.[name]))
  return idsIn(record[name])
    .map((id, index) => ({ id, pointer: isList ? `/${name}/${index}` : `/${name}` }))
    .filter(({ id }) => !known.has(id))
}

/** Whether the caller may refer to this record, user or file. */
const mayRefer = async (change: Change, catalog: Catalog, target: string, id: number): Promise<boolean> => {
  const { tx, caller, now, tester } = change
  if (target === 'users') return (await tx.users.findById(id))?.isActive === true
  if (target === 'files') {
    const file = await tx.files.findById(id)
    return file !== null && (file.ownerId === caller.userId || caller.role === 'admin')
  }
  const collection = await catalog.named(tx, target)
  if (collection === null) return false
  const record = await currentRecord(change, collection, id)
  return record !== null && (await tester(await ruleFor(tx, collection, 'read', caller, now), record))
}

/**
 * Throws `validation_failed` with every new reference of a record to what does not exist or the caller may not read, and
 * to inactive users.
 */
export const checkReferences = async (
  change: Change,
  catalog: Catalog,
  { references }: CompiledCollection,
  record: Readonly<Record<string, Json>>,
  before: StoredRecord | null,
): Promise<void> => {
  const faults: Fault[] = []
  for (const reference of references) {
    const { target } = reference
    for (const { id, pointer } of newReferences(reference, record, before)) {
      if (await mayRefer(change, catalog, target, id)) continue
      const expected = target === 'users' ? 'the id of an active user' : `an id in ${target} that you may read`
      faults.push({ pointer, detail: `Expected ${expected}` })
    }
  }
  if (faults.length > 0) throw new AppError('validation_failed', 'The record refers to what does not exist', { faults })
}

interface Affected {
  readonly collection: CompiledCollection
  readonly record: StoredRecord
}

const keyOf = ({ collection, record }: Affected): string => `${collection.collection.name}/${record.id}`

/** What a deletion leads to. */
interface Consequences {
  /** In the order in which they were found. */
  readonly deleted: Map<string, Affected>
  readonly cleared: Map<string, Affected & { readonly fields: Map<string, Set<number>> }>
  /** Records whose references forbid the deletion, unless they are deleted too. */
  readonly restricting: Map<string, Affected>
}

const tooMany = () =>
  new AppError('referenced', `More than ${MAX_AFFECTED_COUNT} records depend on this one: delete some of them first`)

/** Finds everything that refers to a deleted record, user or file. */
const follow = async (
  change: Change,
  all: readonly CompiledCollection[],
  target: string,
  id: number,
  found: Consequences,
): Promise<readonly Affected[]> => {
  const further: Affected[] = []
  for (const collection of all) {
    for (const { name, action, ...reference } of collection.references) {
      if (reference.target !== target) continue
      const records = change.tx.records(collection.storage)
      for (const record of await records.referencing(name, id, MAX_AFFECTED_COUNT + 1)) {
        const affected = { collection, record }
        const key = keyOf(affected)
        if (action === 'restrict') found.restricting.set(key, affected)
        else if (action === 'clear') {
          const { fields } = found.cleared.get(key) ?? { fields: new Map<string, Set<number>>() }
          fields.set(name, (fields.get(name) ?? new Set()).add(id))
          found.cleared.set(key, { ...affected, fields })
        } else if (!found.deleted.has(key)) {
          found.deleted.set(key, affected)
          further.push(affected)
        }
        if (found.deleted.size + found.cleared.size + found.restricting.size > MAX_AFFECTED_COUNT) throw tooMany()
      }
    }
  }
  return further
}

const cleared = (record: StoredRecord, fields: ReadonlyMap<string, ReadonlySet<number>>): StoredRecord => {
  const changed: Record<string, Json> = {}
  for (const [name, ids] of fields) {
    const value = record[name]
    changed[name] = Array.isArray(value) ? value.filter((id) => typeof id !== 'number' || !ids.has(id)) : null
  }
  return { ...record, ...changed }
}

/**
 * Does what follows from the deletion of a record, user or file: refuses it with `referenced`, deletes the records that
 * refer to it, or clears their references, and so on.
 */
export const followReferences = async (
  change: Change,
  catalog: Catalog,
  deleted: { readonly target: string; readonly id: number },
  pendingForm: PendingForm,
): Promise<void> => {
  const all = await catalog.all(change.tx)
  if (!all.some(({ references }) => references.some(({ target }) => target === deleted.target))) return
  await storeRecords(change, pendingForm)
  const found: Consequences = { deleted: new Map(), cleared: new Map(), restricting: new Map() }
  let next: readonly { readonly target: string; readonly id: number }[] = [deleted]
  while (next.length > 0) {
    const further: Affected[] = []
    for (const { target, id } of next) further.push(...(await follow(change, all, target, id, found)))
    next = further.map(({ collection, record }) => ({ target: collection.collection.name, id: record.id }))
  }
  const own = `${deleted.target}/${deleted.id}`
  for (const key of found.restricting.keys()) {
    if (key !== own && !found.deleted.has(key)) {
      throw new AppError('referenced', 'Other records refer to this one')
    }
  }
  for (const [key, { collection, record, fields }] of found.cleared) {
    if (key === own || found.deleted.has(key)) continue
    const before = (await currentRecord(change, collection, record.id)) ?? record
    const after = cleared(before, fields)
    putChanged(change, collection, before, { ...after, version: before.version + 1, updatedAt: change.now })
  }
  for (const [key, { collection, record }] of found.deleted) {
    if (key !== own) await deleteRecord(change, collection, record)
  }
}
