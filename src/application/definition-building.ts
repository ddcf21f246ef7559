import { AppError, type Misfit } from '../domain/errors.ts'
import type { JsonObject } from '../domain/merge-patch.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { ApplyPatch, CompileValidator, PendingDefinition, StoredCollection } from './ports/collections.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import { createPendingValidators, fieldsOf, transformed } from './record-forms.ts'

/** Limits of one step, so that other requests do not wait long. */
const MAX_STEP_COUNT = 100
const MAX_STEP_BYTES = 128 * 1024

const MAX_LISTED_MISFITS_COUNT = 10

/** Records that do not fit a definition. */
export interface Misfits {
  readonly count: number
  /** The first ones. */
  readonly listed: readonly Misfit[]
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly applyPatch: ApplyPatch
  readonly compileValidator: CompileValidator
}

type Form = { readonly next: JsonObject } | { readonly pointer: string; readonly detail: string }

/** Brings existing records into the form and the indexes of a pending definition. */
export const createDefinitionBuilding = ({ unitOfWork, applyPatch, compileValidator }: Deps) => {
  const validatorOf = createPendingValidators(compileValidator)

  const formOf = (pending: PendingDefinition, record: StoredRecord): Form => {
    let next: JsonObject
    try {
      next = transformed(applyPatch, pending, fieldsOf(record))
    } catch (error) {
      return { pointer: '', detail: error instanceof Error ? error.message : 'The transform cannot be applied' }
    }
    const [fault] = validatorOf(pending).faultsOf(next)
    return fault ?? { next }
  }

  /** A record whose key is not unique fails alone, in a unit of its own. */
  const prepareOne = async (
    stored: StoredCollection,
    record: StoredRecord,
    next: JsonObject,
  ): Promise<Misfit | null> => {
    try {
      await unitOfWork.write((tx) => tx.records(stored).prepare(record, next))
      return null
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'not_unique') throw error
      const [fault] = error.faults ?? []
      return { id: record.id, pointer: fault?.pointer ?? '', detail: error.message }
    }
  }

  const prepareAll = async (
    stored: StoredCollection,
    ready: readonly { readonly record: StoredRecord; readonly next: JsonObject }[],
  ): Promise<readonly Misfit[]> => {
    try {
      await unitOfWork.write(async (tx) => {
        const records = tx.records(stored)
        for (const { record, next } of ready) await records.prepare(record, next)
      })
      return []
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'not_unique') throw error
    }
    const misfits: Misfit[] = []
    for (const { record, next } of ready) {
      const misfit = await prepareOne(stored, record, next)
      if (misfit !== null) misfits.push(misfit)
    }
    return misfits
  }

  /** Goes through all records in short units; `stored` has a pending definition. */
  return async (stored: StoredCollection): Promise<Misfits> => {
    const { pending } = stored
    if (pending === null) return { count: 0, listed: [] }
    let count = 0
    const listed: Misfit[] = []
    const note = (misfits: readonly Misfit[]) => {
      count += misfits.length
      for (const misfit of misfits) if (listed.length < MAX_LISTED_MISFITS_COUNT) listed.push(misfit)
    }
    for (let after = 0, complete = false; !complete; ) {
      const from = after
      const chunk = await unitOfWork.read((tx) =>
        tx.records(stored).chunk({ after: from, maxCount: MAX_STEP_COUNT, maxBytes: MAX_STEP_BYTES }),
      )
      complete = chunk.complete
      after = chunk.records.at(-1)?.id ?? after
      const formed = chunk.records.map((record) => ({ record, form: formOf(pending, record) }))
      note(formed.flatMap(({ record, form }) => ('next' in form ? [] : [{ id: record.id, ...form }])))
      // Once a record does not fit, the others are only counted.
      const ready = formed.flatMap(({ record, form }) => ('next' in form ? [{ record, next: form.next }] : []))
      if (count === 0 || pending.indexes.some(({ unique }) => unique)) note(await prepareAll(stored, ready))
    }
    return { count, listed }
  }
}
