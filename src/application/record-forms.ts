import { AppError } from '../domain/errors.ts'
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
  if (!isJsonObject(result)) throw new Error('The transform makes a record something else than an object')
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

/** The fields of a record under the pending definition of its collection; undefined if there is none. */
export type PendingForm = (compiled: CompiledCollection, record: NewRecord | StoredRecord) => JsonObject | undefined

/**
 * While a definition is being prepared, records are also stored in its form. Nobody who writes under the present
 * definition has to know of it: if their record does not fit, {@link PendingMisfit} ends the unit, the preparation is
 * abandoned, and the unit runs again; see {@link createPendingGuard}.
 */
export const createPendingForms = ({ applyPatch, compileValidator }: Deps): PendingForm => {
  const validatorOf = createPendingValidators(compileValidator)
  return ({ stored, collection }, record) => {
    const pending = stored?.pending
    if (stored === null || pending === null || pending === undefined) return undefined
    let next: JsonObject
    try {
      next = transformed(applyPatch, pending, ownFields(collection, record))
    } catch {
      throw new PendingMisfit(stored)
    }
    if (validatorOf(pending).faultsOf(next).length > 0) throw new PendingMisfit(stored)
    return next
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
