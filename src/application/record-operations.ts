import { isNullable, nounOf } from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import { FALSE } from '../domain/expression.ts'
import { isEqualJson, isJsonObject, type Json, type JsonObject, mergePatch } from '../domain/merge-patch.ts'
import { type NewRecord, newRecord, patchedRecord, type StoredRecord } from '../domain/record.ts'
import type { Instant } from '../domain/user.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { isAnonymous, isOwnerRule, refuse, ruleFor } from './record-access.ts'
import {
  type Change,
  currentRecord,
  deleteRecord,
  noteCreated,
  type PendingForm,
  putChanged,
} from './record-changes.ts'
import { fieldsOf } from './record-forms.ts'
import { checkReferences, followReferences } from './record-references.ts'
import { type Expected, type ExpectedVersion, versionMismatch } from './records.ts'

interface Deps {
  readonly catalog: Catalog
  readonly maxRecordBytes: number
}

const checkVersion = ({ collection }: CompiledCollection, record: StoredRecord, expected: Expected): void => {
  const isExpected = ({ version, epoch }: ExpectedVersion) =>
    version === record.version && (epoch === null || epoch === record.epoch)
  if (expected === null || expected.some(isExpected)) return
  throw versionMismatch(collection)
}

const invalid = ({ collection }: CompiledCollection, faults: AppError['faults']) =>
  new AppError('validation_failed', `The ${collection.singular} does not have the expected form`, { faults })

/** A record of a collection defined at run time: what is omitted stays absent. */
const draftRecord = (
  collection: CompiledCollection,
  draft: JsonObject,
  ownerId: number | null,
  now: Instant,
): NewRecord => {
  const drafted = collection.validator.draft(draft)
  if ('faults' in drafted) throw invalid(collection, drafted.faults)
  return { ...drafted.record, ownerId, version: 1, createdAt: now, updatedAt: now }
}

/** The fields after a JSON Merge Patch (RFC 7396). Null becomes the value of a field that may be null. */
const patchedFields = ({ collection }: CompiledCollection, fields: JsonObject, patch: JsonObject): JsonObject => {
  const merged = new Map<string, Json>(Object.entries(fields))
  for (const [name, value] of Object.entries(patch)) {
    const schema = Object.hasOwn(collection.fields, name) ? collection.fields[name] : undefined
    const before = merged.get(name)
    if (value === null && (schema === undefined || !isNullable(schema))) merged.delete(name)
    else merged.set(name, isJsonObject(value) ? mergePatch(isJsonObject(before) ? before : {}, value) : value)
  }
  return Object.fromEntries(merged)
}

/** Names in the patch that are no fields of the collection are faults even if they are null. */
const withUnknown = ({ collection }: CompiledCollection, fields: JsonObject, patch: JsonObject): JsonObject => ({
  ...fields,
  ...Object.fromEntries(Object.entries(patch).filter(([name]) => !Object.hasOwn(collection.fields, name))),
})

const patchedStoredRecord = (
  collection: CompiledCollection,
  record: StoredRecord,
  patch: JsonObject,
  now: Instant,
): StoredRecord => {
  const before = fieldsOf(record)
  const after = withUnknown(collection, patchedFields(collection, before, patch), patch)
  const faults = collection.validator.faultsOf(after)
  if (faults.length > 0) throw invalid(collection, faults)
  if (isEqualJson(before, after)) return record
  const { id, ownerId, version, epoch, createdAt } = record
  return { ...after, id, ownerId, version: version + 1, epoch, createdAt, updatedAt: now }
}

interface Alteration {
  readonly id: number
  readonly patch: JsonObject
  readonly expected: Expected
  readonly isValidated: boolean
}

/** The operations of callers on records, inside a transaction. */
export const createRecordOperations = ({ catalog, maxRecordBytes }: Deps, pendingForm: PendingForm) => {
  const checkSize = ({ stored, collection }: CompiledCollection, record: NewRecord): void => {
    // Fields of collections in code have limits of their own.
    if (stored === null) return
    const bytes = new TextEncoder().encode(JSON.stringify(fieldsOf(record))).length
    if (bytes <= maxRecordBytes) return
    throw new AppError('data_too_large', `The ${collection.singular} is larger than ${maxRecordBytes} bytes`)
  }

  /** Throws if the caller may not read it. */
  const visible = async (change: Change, collection: CompiledCollection, id: number): Promise<StoredRecord> => {
    const { tx, caller, now, tester } = change
    const record = await currentRecord(change, collection, id)
    if (record !== null && caller.role === 'admin') return record
    const absent = () => notFound(nounOf(collection.collection))
    if (isOwnerRule(collection, 'read')) {
      if (isAnonymous(caller)) return refuse(caller, '')
      if (record === null || record.ownerId !== caller.userId) throw absent()
      return record
    }
    if (record === null || !(await tester(await ruleFor(tx, collection, 'read', caller, now), record))) {
      if (isAnonymous(caller)) return refuse(caller, '')
      throw absent()
    }
    return record
  }

  const authorize = async (
    change: Change,
    collection: CompiledCollection,
    use: 'update' | 'delete',
    record: StoredRecord,
    next?: StoredRecord,
  ): Promise<void> => {
    const { tx, caller, now, tester } = change
    if (caller.role === 'admin') return
    if (isOwnerRule(collection, use) && record.ownerId !== null && record.ownerId === caller.userId) return
    const rule = await ruleFor(tx, collection, use, caller, now)
    if (!(await tester(rule, record, next))) refuse(caller, `You may not ${use} this ${collection.collection.singular}`)
  }

  const prepared = (
    collection: CompiledCollection,
    draft: JsonObject,
    { caller, now }: Change,
    isValidated: boolean,
  ): NewRecord => {
    if (collection.stored !== null) return draftRecord(collection, draft, caller.userId, now)
    const drafted = isValidated ? { record: draft } : collection.validator.draft(draft)
    if ('faults' in drafted) throw invalid(collection, drafted.faults)
    return newRecord(collection.collection, drafted.record, caller.userId, now)
  }

  const patched = (
    collection: CompiledCollection,
    record: StoredRecord,
    { patch, isValidated }: Alteration,
    now: Instant,
  ): StoredRecord => {
    if (collection.stored !== null) return patchedStoredRecord(collection, record, patch, now)
    if (!isValidated) patchedStoredRecord(collection, record, patch, now)
    return patchedRecord(collection.collection, record, patch, now)
  }

  return {
    async add(
      change: Change,
      collection: CompiledCollection,
      draft: JsonObject,
      isValidated: boolean,
    ): Promise<StoredRecord> {
      const { tx, caller, now, tester } = change
      if (collection.stored === null && isAnonymous(caller)) refuse(caller, '')
      const rule = await ruleFor(tx, collection, 'create', caller, now)
      const denied = `You may not create this ${collection.collection.singular}`
      if (rule === FALSE) refuse(caller, denied)
      const record = prepared(collection, draft, change, isValidated)
      const unstored = { ...record, id: 0, epoch: tx.epochs.current } as StoredRecord
      if (!(await tester(rule, unstored))) refuse(caller, denied)
      checkSize(collection, record)
      await checkReferences(change, catalog, collection, record, null)
      const stored = await tx.records(collection.storage).insert(record, pendingForm(collection, record))
      noteCreated(change, collection, stored)
      return stored
    },

    async alter(change: Change, collection: CompiledCollection, alteration: Alteration): Promise<StoredRecord> {
      const record = await visible(change, collection, alteration.id)
      checkVersion(collection, record, alteration.expected)
      const changed = patched(collection, record, alteration, change.now)
      await authorize(change, collection, 'update', record, changed)
      if (changed === record) return record
      checkSize(collection, changed)
      await checkReferences(change, catalog, collection, changed, record)
      return putChanged(change, collection, record, changed)
    },

    async erase(
      change: Change,
      collection: CompiledCollection,
      { id, expected }: { readonly id: number; readonly expected: Expected },
    ): Promise<void> {
      const record = await visible(change, collection, id)
      checkVersion(collection, record, expected)
      await authorize(change, collection, 'delete', record)
      await followReferences(change, catalog, { target: collection.collection.name, id }, pendingForm)
      await deleteRecord(change, collection, record)
    },
  }
}

export type RecordOperations = ReturnType<typeof createRecordOperations>
