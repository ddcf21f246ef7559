import { AppError } from '../domain/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/merge-patch.ts'
import type { NewRecord, StoredRecord } from '../domain/record.ts'
import type { ApplyPatch, CompileValidator, PendingDefinition, RecordValidator } from './ports/collections.ts'
import type { PendingForm } from './record-changes.ts'

/** The fields of a record, as its schema describes them. */
export const fieldsOf = (record: NewRecord | StoredRecord): JsonObject => {
  const { id: _, ownerId, version, epoch, createdAt, updatedAt, ...fields } = record as StoredRecord
  return fields
}

/** The fields in the form of a pending definition. Throws if its transform cannot be applied. */
export const transformed = (
  applyPatch: ApplyPatch,
  { transform }: Pick<PendingDefinition, 'transform'>,
  fields: JsonObject,
): JsonObject => {
  if (transform === null) return fields
  const result: Json = applyPatch(fields, transform)
  if (!isJsonObject(result)) throw new Error('the transform makes a record something else than an object')
  return result
}

/** {@link RecordValidator} of pending definitions. */
export const createPendingValidators = (compileValidator: CompileValidator) => {
  const compiled = new WeakMap<PendingDefinition, RecordValidator>()
  return (pending: PendingDefinition): RecordValidator => {
    const validator = compiled.get(pending) ?? compileValidator(pending.collection)
    compiled.set(pending, validator)
    return validator
  }
}

interface Deps {
  readonly applyPatch: ApplyPatch
  readonly compileValidator: CompileValidator
}

/**
 * While a definition is being prepared, records are also stored in its form. A write whose record would not fit it has to
 * wait until the definition has taken effect or was given up: throws `unavailable`.
 */
export const createPendingForms = ({ applyPatch, compileValidator }: Deps): PendingForm => {
  const validatorOf = createPendingValidators(compileValidator)
  return ({ stored }, record) => {
    const pending = stored?.pending
    if (pending === null || pending === undefined) return undefined
    try {
      const next = transformed(applyPatch, pending, fieldsOf(record))
      if (validatorOf(pending).faultsOf(next).length === 0) return next
    } catch {
      // The same as a record that does not fit.
    }
    throw new AppError('unavailable', 'The collection is being changed: try again', { retryAfterSeconds: 1 })
  }
}
