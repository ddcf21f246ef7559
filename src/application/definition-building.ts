import { type ReferenceField, referencesOf } from '../domain/collection.ts'
import { definitionOf } from '../domain/definition.ts'
import { AppError, type Fault, type Misfits } from '../domain/errors.ts'
import { isEqualJson, type JsonObject } from '../domain/merge-patch.ts'
import { ownFields, type StoredRecord } from '../domain/record.ts'
import type { Catalog } from './catalog.ts'
import type { ApplyPatch, CompileValidator, PendingDefinition, StoredCollection } from './ports/collections.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import { createFormCheck } from './record-forms.ts'
import { danglingReferences } from './record-references.ts'

/** Limits of one step, so that other requests do not wait long. */
const MAX_STEP_COUNT = 100
const MAX_STEP_BYTES = 128 * 1024

const MAX_LISTED_MISFITS_COUNT = 10

interface Misfit {
  readonly id: number
  readonly faults: readonly Fault[]
}

interface Formed {
  readonly record: StoredRecord
  readonly next: JsonObject
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly catalog: Catalog
  readonly applyPatch: ApplyPatch
  readonly compileValidator: CompileValidator
  readonly maxRecordBytes: number
}

/** Whether both prepare the same definition, so that records are checked and stored in the same way. */
const isSamePending = (one: PendingDefinition, other: PendingDefinition): boolean => {
  const idsOf = ({ indexes }: PendingDefinition) => indexes.map(({ id }) => id).join()
  return (
    one.shape === other.shape &&
    idsOf(one) === idsOf(other) &&
    isEqualJson(one.transform, other.transform) &&
    isEqualJson(definitionOf(one.collection), definitionOf(other.collection))
  )
}

/** Whether a definition is still the one that is being prepared. */
export const isStillPending = (now: StoredCollection | null, before: StoredCollection): boolean => {
  if (now === null || before.pending === null || now.pending === null) return false
  const isSame = now.pending === before.pending || isSamePending(now.pending, before.pending)
  return now.id === before.id && now.version === before.version && isSame
}

/** Thrown when the preparation was abandoned meanwhile, or replaced by another one. */
export class NoLongerPending extends Error {
  readonly isReplaced: boolean

  constructor(now: StoredCollection | null, before: StoredCollection) {
    super('the definition is no longer being prepared')
    this.name = 'NoLongerPending'
    this.isReplaced = now === null || now.version !== before.version || now.pending !== null
  }
}

/** The current state of a definition that is being prepared. Throws {@link NoLongerPending}. */
export const requirePending = (now: StoredCollection | null, before: StoredCollection): StoredCollection => {
  if (now === null || !isStillPending(now, before)) throw new NoLongerPending(now, before)
  return now
}

/** References of the pending definition that the current one does not check. */
const newReferencesOf = ({ indexes }: StoredCollection, pending: PendingDefinition): readonly ReferenceField[] => {
  const known = new Set(indexes.map(({ id }) => id))
  const isKept = ({ name }: ReferenceField) =>
    pending.indexes.some((index) => index.isReference && index.fields[0] === name && known.has(index.id))
  return referencesOf(pending.collection).filter((reference) => !isKept(reference))
}

/** Stores records in the form and the indexes of a pending definition, except for those that do not fit it. */
const createPreparation = ({ unitOfWork, catalog }: Pick<Deps, 'unitOfWork' | 'catalog'>) => {
  const dangling = async (
    tx: Tx,
    references: readonly ReferenceField[],
    formed: readonly Formed[],
  ): Promise<readonly Misfit[]> => {
    if (references.length === 0) return []
    const faults = await danglingReferences(
      tx,
      catalog,
      references,
      formed.map(({ next }) => next),
    )
    return formed.flatMap(({ record }, index) => {
      const own = faults[index] ?? []
      return own.length === 0 ? [] : [{ id: record.id, faults: own }]
    })
  }

  /**
   * Stores records in one unit, except for misfits. A duplicate key undoes the unit; its record is the only misfit then.
   */
  const prepareSome = async (
    stored: StoredCollection,
    formed: readonly Formed[],
  ): Promise<{ readonly misfits: readonly Misfit[]; readonly isUndone: boolean }> => {
    let at = 0
    try {
      const misfits = await unitOfWork.write(async (tx) => {
        at = 0
        const now = requirePending(await tx.collections.find(stored.collection.name), stored)
        const references = now.pending === null ? [] : newReferencesOf(now, now.pending)
        const unfit = await dangling(tx, references, formed)
        const ids = new Set(unfit.map(({ id }) => id))
        const records = tx.records(now)
        for (const { record, next } of formed) {
          if (!ids.has(record.id)) await records.prepare(record, next)
          at++
        }
        return unfit
      })
      return { misfits, isUndone: false }
    } catch (error) {
      const record = formed[at]?.record
      if (!(error instanceof AppError) || error.code !== 'not_unique' || record === undefined) throw error
      return { misfits: [{ id: record.id, faults: error.faults ?? [] }], isUndone: true }
    }
  }

  return async (stored: StoredCollection, formed: readonly Formed[]): Promise<readonly Misfit[]> => {
    const duplicates: Misfit[] = []
    let remaining = formed
    for (;;) {
      if (remaining.length === 0) return duplicates
      const { misfits, isUndone } = await prepareSome(stored, remaining)
      if (!isUndone) return [...duplicates, ...misfits]
      duplicates.push(...misfits)
      const ids = new Set(misfits.map(({ id }) => id))
      remaining = remaining.filter(({ record }) => !ids.has(record.id))
    }
  }
}

/** Brings existing records into the form and the indexes of a pending definition. */
export const createDefinitionBuilding = (deps: Deps) => {
  const { unitOfWork } = deps
  const prepareAll = createPreparation(deps)
  const formIn = createFormCheck(deps)

  const formOf = (stored: StoredCollection, pending: PendingDefinition, record: StoredRecord): Formed | Misfit => {
    try {
      const { next, faults } = formIn(pending, ownFields(stored.collection, record))
      return faults.length === 0 ? { record, next } : { id: record.id, faults }
    } catch (error) {
      const detail = error instanceof Error ? error.message : 'The transform cannot be applied'
      return { id: record.id, faults: [{ pointer: '', detail }] }
    }
  }

  /**
   * Goes through all records in short units, and calls `beforeUnit` before each; `stored` has a pending definition. Returns
   * those that do not fit. Throws {@link NoLongerPending}.
   */
  return async (stored: StoredCollection, beforeUnit: () => Promise<void>): Promise<Misfits> => {
    const { pending } = stored
    if (pending === null) throw new Error('no definition is being prepared')
    let count = 0
    const first: Misfit[] = []
    const note = (misfits: readonly Misfit[]) => {
      count += misfits.length
      const sorted = misfits.toSorted((one, other) => one.id - other.id)
      first.push(...sorted.slice(0, MAX_LISTED_MISFITS_COUNT - first.length))
    }
    for (let after = 0, isComplete = false; !isComplete; ) {
      await beforeUnit()
      const from = after
      const { records, complete } = await unitOfWork.read(async (tx) => {
        const now = requirePending(await tx.collections.find(stored.collection.name), stored)
        return tx.records(now).chunk({ after: from, maxCount: MAX_STEP_COUNT, maxBytes: MAX_STEP_BYTES })
      })
      isComplete = complete
      after = records.at(-1)?.id ?? after
      const forms = records.map((record) => formOf(stored, pending, record))
      const formed = forms.flatMap((form) => ('next' in form ? [form] : []))
      const misfits = forms.flatMap((form) => ('next' in form ? [] : [form]))
      note([...misfits, ...(await prepareAll(stored, formed))])
    }
    return { count, first }
  }
}
