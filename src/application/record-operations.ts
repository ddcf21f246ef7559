import { FIRST_FORM, isNullable } from '../domain/collection.ts'
import { AppError, type Fault, notFound } from '../domain/errors.ts'
import { type Expression, TRUE } from '../domain/expression.ts'
import { isSurelyWithin, isWithin } from '../domain/field-checks.ts'
import { isEqualJson, isJsonObject, type Json, type JsonObject, mergePatch } from '../domain/merge-patch.ts'
import { type NewRecord, newRecord, ownFields, patchedRecord, type StoredRecord, withFields } from '../domain/record.ts'
import type { Instant } from '../domain/user.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { creationRule, refuse } from './record-access.ts'
import {
  type Change,
  changeRecord,
  createRecord,
  createRecords,
  currentRecord,
  deleteRecord,
  storeRecords,
} from './record-changes.ts'
import { followReferences } from './record-deletions.ts'
import { areReferencesSound, checkReferences } from './record-references.ts'
import type { Expected, ExpectedVersion } from './record-requests.ts'

interface Deps {
  readonly catalog: Catalog
  readonly maxRecordBytes: number
}

const checkVersion = ({ collection }: CompiledCollection, record: StoredRecord, expected: Expected): void => {
  const { form: current = FIRST_FORM } = collection
  const isExpected = ({ version, epoch, form }: ExpectedVersion) =>
    version === record.version && (epoch === null || epoch === record.epoch) && (form === null || form === current)
  if (expected === null || expected.some(isExpected)) return
  throw new AppError('version_mismatch', `The ${collection.singular} was changed meanwhile`)
}

const invalid = ({ collection }: CompiledCollection, faults: readonly Fault[]) =>
  new AppError('validation_failed', `The ${collection.singular} does not have the expected form`, { faults })

/** The fields of an earlier version. Throws `validation_failed` if the present schema does not allow them. */
const validFields = (compiled: CompiledCollection, version: StoredRecord): JsonObject => {
  const fields = ownFields(compiled.collection, version)
  const faults = compiled.validator.faultsOf(fields)
  if (faults.length > 0) throw invalid(compiled, faults)
  return fields
}

/** A new record from fields that have not been checked. */
const draftedRecord = (
  compiled: CompiledCollection,
  draft: JsonObject,
  ownerId: number | null,
  now: Instant,
): NewRecord => {
  const { collection, stored, validator } = compiled
  const drafted = validator.draft(draft)
  if ('faults' in drafted) throw invalid(compiled, drafted.faults)
  if (stored === null) return newRecord(collection, drafted.record, ownerId, now)
  return withFields(collection, { ownerId, version: 1, createdAt: now, updatedAt: now }, drafted.record)
}

/**
 * The fields after a JSON Merge Patch (RFC 7396). A field that may be null takes null as its value. An unknown name stays,
 * so that it is a fault even if its value is null.
 */
const patchedFields = ({ collection }: CompiledCollection, fields: JsonObject, patch: JsonObject): JsonObject => {
  const merged = new Map<string, Json>(Object.entries(fields))
  for (const [name, value] of Object.entries(patch)) {
    const field = Object.hasOwn(collection.fields, name) ? collection.fields[name] : undefined
    const before = merged.get(name)
    if (value === null && field !== undefined && !isNullable(field)) merged.delete(name)
    else merged.set(name, isJsonObject(value) ? mergePatch(isJsonObject(before) ? before : {}, value) : value)
  }
  return Object.fromEntries(merged)
}

const checkedPatch = (
  compiled: CompiledCollection,
  record: StoredRecord,
  patch: JsonObject,
  now: Instant,
): StoredRecord => {
  const { collection, validator } = compiled
  const before = ownFields(collection, record)
  const after = patchedFields(compiled, before, patch)
  const faults = validator.faultsOf(after)
  if (faults.length > 0) throw invalid(compiled, faults)
  if (isEqualJson(before, after)) return record
  return withFields(collection, { ...record, version: record.version + 1, updatedAt: now }, after)
}

export interface Creation {
  readonly draft: JsonObject
  /** Whether the draft has passed the schema of a collection that is defined in code. */
  readonly isChecked?: boolean
  /** The author, if absent. */
  readonly ownerId?: number | null
}

export interface Restoration {
  readonly last: StoredRecord
  readonly version: StoredRecord
  readonly expected: Expected
}

export interface Alteration {
  readonly id: number
  readonly patch: JsonObject
  readonly expected: Expected
  readonly isChecked?: boolean
}

export interface Erasure {
  readonly id: number
  readonly expected: Expected
}

/** What every change of a caller has to pass before it is stored. */
const createAdmission = ({ catalog, maxRecordBytes }: Deps) => {
  const checkSize = ({ stored, collection }: CompiledCollection, record: NewRecord): void => {
    // Fields of collections in code have limits of their own. For most records, the members that every record has do not
    // matter, so they are not copied without these.
    if (stored === null || isSurelyWithin(record, maxRecordBytes)) return
    if (isWithin(ownFields(collection, record), maxRecordBytes)) return
    throw new AppError('data_too_large', `The ${collection.singular} is larger than ${maxRecordBytes} bytes`)
  }

  /** Creates a record if this rule, that for creates, admits it. */
  const admit = async (
    change: Change,
    compiled: CompiledCollection,
    record: NewRecord,
    rule: Expression,
  ): Promise<StoredRecord> => {
    const { tx, authorization } = change
    checkSize(compiled, record)
    const isAllowed =
      rule === TRUE || authorization.isTrue(rule, { ...record, id: record.id ?? 0, epoch: tx.epochs.current })
    if (!(isAllowed instanceof Promise ? await isAllowed : isAllowed)) {
      refuse(authorization.principal, `You may not create this ${compiled.collection.singular}`)
    }
    const checking = checkReferences(authorization, catalog, compiled, record, null)
    if (checking !== undefined) await checking
    return createRecord(change, compiled, record)
  }

  /** Replaces a record that the caller may read by the one that `make` returns. */
  const replace = async (
    change: Change,
    compiled: CompiledCollection,
    record: StoredRecord,
    expected: Expected,
    make: () => StoredRecord,
  ): Promise<StoredRecord> => {
    const { authorization } = change
    const needsNext = await authorization.readsNext(compiled)
    // Whoever may not change it learns nothing else.
    if (!needsNext) await authorization.authorize(compiled, 'update', record, record)
    checkVersion(compiled, record, expected)
    const changed = make()
    if (needsNext) await authorization.authorize(compiled, 'update', record, changed)
    if (changed === record) return record
    checkSize(compiled, changed)
    await checkReferences(authorization, catalog, compiled, changed, record)
    return changeRecord(change, compiled, record, changed)
  }

  return { admit, replace }
}

/** Creates many records at once, for callers to whom no rule applies. */
const createAdditions = ({ catalog, maxRecordBytes }: Deps) => {
  const isAlone = ({ stored, references, collection }: CompiledCollection): boolean =>
    stored !== null &&
    stored.pending === null &&
    stored.deletions.unfinished.length === 0 &&
    // A record may reference one that was created just before it.
    references.every(({ target }) => target !== collection.name)

  /**
   * Creates records of which each would be accepted alone. False if one of them would not, or if they have to be created
   * one after the other; then nothing was changed. Throws `not_unique` if two of them, or one and a stored one, exclude
   * each other.
   */
  return async (change: Change, compiled: CompiledCollection, creations: readonly Creation[]): Promise<boolean> => {
    const { authorization, now } = change
    if (!isAlone(compiled) || (await authorization.rule(compiled, 'create')) !== TRUE) return false
    const records: NewRecord[] = []
    for (const { draft, ownerId = authorization.principal?.userId ?? null } of creations) {
      const drafted = compiled.validator.draft(draft)
      if ('faults' in drafted || !isWithin(drafted.record, maxRecordBytes)) return false
      const meta = { ownerId, version: 1, createdAt: now, updatedAt: now }
      records.push(withFields(compiled.collection, meta, drafted.record))
    }
    if (!(await areReferencesSound(authorization, catalog, compiled, records))) return false
    await createRecords(change, compiled, records)
    return true
  }
}

/** The operations of callers on records, inside a transaction. */
export const createRecordOperations = (deps: Deps) => {
  const { admit, replace } = createAdmission(deps)

  const visible = async (change: Change, compiled: CompiledCollection, id: number): Promise<StoredRecord> => {
    if (compiled.stored !== null && change.changed.size > 0) await storeRecords(change)
    return change.authorization.readable(compiled, await currentRecord(change, compiled, id))
  }

  const erasable = async (change: Change, compiled: CompiledCollection, { id, expected }: Erasure) => {
    const record = await visible(change, compiled, id)
    await change.authorization.authorize(compiled, 'delete', record)
    checkVersion(compiled, record, expected)
    return record
  }

  return {
    addAll: createAdditions(deps),
    /** The record, if the caller may delete it. */
    erasable,

    async add(change: Change, compiled: CompiledCollection, creation: Creation): Promise<StoredRecord> {
      const { now, authorization } = change
      const { collection, stored } = compiled
      if (stored !== null && change.changed.size > 0) await storeRecords(change)
      const rule = await creationRule(authorization, compiled)
      const { draft, isChecked = false, ownerId = authorization.principal?.userId ?? null } = creation
      const record =
        isChecked && stored === null
          ? newRecord(collection, draft, ownerId, now)
          : draftedRecord(compiled, draft, ownerId, now)
      return admit(change, compiled, record, rule)
    },

    async alter(change: Change, compiled: CompiledCollection, alteration: Alteration): Promise<StoredRecord> {
      const { now } = change
      const { patch, isChecked = false } = alteration
      const record = await visible(change, compiled, alteration.id)
      return replace(change, compiled, record, alteration.expected, () => {
        const isBuiltIn = compiled.stored === null
        const checked = isChecked && isBuiltIn ? record : checkedPatch(compiled, record, patch, now)
        return isBuiltIn ? patchedRecord(compiled.collection, record, patch, now) : checked
      })
    },

    /** Gives a record the fields of another version. */
    async revert(
      change: Change,
      compiled: CompiledCollection,
      { version, expected }: { readonly version: StoredRecord; readonly expected: Expected },
    ): Promise<StoredRecord> {
      const record = await visible(change, compiled, version.id)
      return replace(change, compiled, record, expected, () => {
        const fields = validFields(compiled, version)
        if (isEqualJson(ownFields(compiled.collection, record), fields)) return record
        return withFields(
          compiled.collection,
          { ...record, version: record.version + 1, updatedAt: change.now },
          fields,
        )
      })
    },

    /** Creates a deleted record again, with its id and the fields of one of its versions. `last` is the one that was deleted. */
    async restore(
      change: Change,
      compiled: CompiledCollection,
      { last, version, expected }: Restoration,
    ): Promise<StoredRecord> {
      const { authorization, tx, now } = change
      await authorization.readable(compiled, last)
      await authorization.authorize(compiled, 'delete', last)
      checkVersion(compiled, last, expected)
      const { id, ownerId, createdAt } = last
      // What an account has left is removed from the log in the background.
      if (ownerId !== null && (await tx.users.findById(ownerId)) === null) throw notFound('Version')
      const meta = { id, ownerId, version: last.version + 1, createdAt, updatedAt: now }
      const record = withFields(compiled.collection, meta, validFields(compiled, version))
      return admit(change, compiled, record, await authorization.rule(compiled, 'create'))
    },

    async erase(change: Change, compiled: CompiledCollection, { id, expected }: Erasure): Promise<void> {
      const record = await erasable(change, compiled, { id, expected })
      await followReferences(change, { target: compiled.collection.name, id })
      await deleteRecord(change, compiled, record)
    },
  }
}

export type RecordOperations = ReturnType<typeof createRecordOperations>
