import { AppError, type Fault } from '../domain/errors.ts'
import { jsonBytes } from '../domain/field-checks.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/merge-patch.ts'
import { type NewRecord, ownFields, type StoredRecord } from '../domain/record.ts'
import type { CompiledCollection } from './catalog.ts'
import type {
  ApplyPatch,
  CompileValidator,
  PendingDefinition,
  RecordValidator,
  StoredCollection,
} from './ports/collections.ts'
import type { UnitOfWork } from './ports/persistence.ts'

/** Thrown inside a unit that would store a record that does not fit the pending definition of its collection. */
export class PendingMisfit extends Error {
  readonly stored: StoredCollection

  constructor(stored: StoredCollection) {
    super(`a record does not fit the pending definition of ${stored.collection.name}`)
    this.name = 'PendingMisfit'
    this.stored = stored
  }
}

/** The fields in the form of a pending definition. Throws if its transform cannot be applied. */
export const transformed = (
  applyPatch: ApplyPatch,
  { transform }: Pick<PendingDefinition, 'transform'>,
  fields: JsonObject,
): JsonObject => {
  if (transform === null) return fields
  const result: Json = applyPatch(fields, transform)
  if (!isJsonObject(result)) throw new Error('The transform turns a record into something other than an object')
  return result
}

/** {@link RecordValidator} of pending definitions. */
const createPendingValidators = (compileValidator: CompileValidator) => {
  const compiled = new WeakMap<PendingDefinition, RecordValidator>()
  return (pending: PendingDefinition): RecordValidator => {
    const validator = compiled.get(pending) ?? compileValidator(pending.collection)
    compiled.set(pending, validator)
    return validator
  }
}

/** A transform may not make a record larger than records may be; one that was too large before may stay so. */
const sizeFaultsOf = (
  { transform }: PendingDefinition,
  fields: JsonObject,
  next: JsonObject,
  maxRecordBytes: number,
): readonly Fault[] => {
  if (transform === null) return []
  const bytes = jsonBytes(next)
  const fits = bytes <= maxRecordBytes || bytes <= jsonBytes(fields)
  return fits ? [] : [{ pointer: '', detail: `The size is larger than ${maxRecordBytes} bytes` }]
}

interface Deps {
  readonly applyPatch: ApplyPatch
  readonly compileValidator: CompileValidator
  readonly maxRecordBytes: number
}

export interface Form {
  readonly next: JsonObject
  readonly faults: readonly Fault[]
}

/** The fields of a record in the form of a pending definition. Throws if its transform cannot be applied. */
export const createFormCheck = ({ applyPatch, compileValidator, maxRecordBytes }: Deps) => {
  const validatorOf = createPendingValidators(compileValidator)
  return (pending: PendingDefinition, fields: JsonObject): Form => {
    const next = transformed(applyPatch, pending, fields)
    const faults = [...validatorOf(pending).faultsOf(next), ...sizeFaultsOf(pending, fields, next, maxRecordBytes)]
    return { next, faults }
  }
}

/** The fields of a record under the pending definition of its collection; undefined if there is none. */
export type PendingForm = (compiled: CompiledCollection, record: NewRecord | StoredRecord) => JsonObject | undefined

/**
 * While a definition is being prepared, records are also stored in its form. Nobody who writes under the present
 * definition has to know of it: if their record does not fit, {@link PendingMisfit} ends the unit, the preparation is
 * abandoned, and the unit runs again; see {@link createPendingGuard}.
 */
export const createPendingForms = (deps: Deps): PendingForm => {
  const formOf = createFormCheck(deps)
  return ({ stored, collection }, record) => {
    const pending = stored?.pending
    if (stored === null || pending === null || pending === undefined) return undefined
    let form: Form
    try {
      form = formOf(pending, ownFields(collection, record))
    } catch {
      throw new PendingMisfit(stored)
    }
    if (form.faults.length > 0) throw new PendingMisfit(stored)
    return form.next
  }
}

/** A key that only an index of the pending definition refuses. */
export const toPendingMisfit = ({ stored }: CompiledCollection, error: unknown): unknown => {
  if (stored === null || stored.pending === null) return error
  if (!(error instanceof AppError) || error.code !== 'not_unique') return error
  const fields = (error.faults ?? []).map(({ pointer }) => pointer.slice(1)).join()
  const isPresent = stored.indexes.some((index) => index.unique && index.fields.join() === fields)
  return isPresent ? error : new PendingMisfit(stored)
}

/** Each attempt abandons one preparation. */
const MAX_ATTEMPTS_COUNT = 5

/** Runs a unit again after it has met a {@link PendingMisfit}, without that pending definition. */
export const createPendingGuard = (unitOfWork: UnitOfWork) => {
  const abandon = ({ collection: { name }, version, pending }: StoredCollection): Promise<void> =>
    unitOfWork.write(async (tx) => {
      const now = await tx.collections.findForChange(name)
      if (now === null || now.pending === null || now.version !== version) return
      if (now.pending.shape === pending?.shape) await tx.collections.abandon(now)
    })

  return async <T>(work: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof PendingMisfit)) throw error
        if (attempt === MAX_ATTEMPTS_COUNT) {
          throw new AppError('unavailable', 'The collection is being changed', { cause: error, retryAfterSeconds: 1 })
        }
        await abandon(error.stored)
      }
    }
  }
}
