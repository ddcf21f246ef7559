import { isBuiltIn } from '../domain/collection.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Actor, Principal } from '../domain/session.ts'
import { type Awaitable, andThen } from './awaitable.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import {
  type IdempotencyRequest,
  type IdempotentEffect,
  type IdempotentResult,
  withIdempotency,
} from './idempotency.ts'
import { createLargeDeletions, type DeletionRoot } from './large-deletions.ts'
import type { ApplyPatch } from './ports/collections.ts'
import type { ReadTx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'
import { createAuthorization, creationRule, readsByDefault, requireChangeable } from './record-access.ts'
import { createBatches } from './record-batches.ts'
import { type Change, deleteRecord } from './record-changes.ts'
import { LargeDeletion } from './record-deletions.ts'
import { expandRecords } from './record-expansion.ts'
import { createRecordHistory, type RecordHistory } from './record-history.ts'
import { createRecordImports } from './record-imports.ts'
import { createRecordLists } from './record-lists.ts'
import { createRecordOperations, type Erasure, type RecordOperations } from './record-operations.ts'
import type { ReadResult, RecordOperation, RecordResult, Records } from './record-requests.ts'
import type { RecordUnits } from './record-units.ts'

export type * from './record-history.ts'
export type * from './record-requests.ts'

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly units: RecordUnits
  readonly clock: Clock
  readonly applyPatch: ApplyPatch
  /** The limit of a record of a collection defined at run time, as JSON. */
  readonly maxRecordBytes: number
}

/** Someone without a token has no idempotency keys. */
const once = async <T>(
  { tx, authorization: { principal }, now }: Change,
  idempotency: IdempotencyRequest<T> | null,
  effect: IdempotentEffect<T>,
): Promise<IdempotentResult<T>> =>
  principal === null ? { result: await effect.work() } : withIdempotency(tx, principal, idempotency, now, effect)

/** Where rules decide who may read, the response was the caller's to read, whoever owns the records. */
const ownersOf = ({ collection, record }: RecordResult, actor: Actor): readonly (number | null)[] =>
  isBuiltIn(collection) ? [record.ownerId] : [actor.userId]

const isDelete = ({ op }: RecordOperation) => op === 'delete'

const createReads = ({ catalog, unitOfWork, clock }: Deps): Pick<Records, 'get' | 'checkCreate' | 'checkChange'> => {
  const authorized = (
    tx: ReadTx,
    principal: Principal | null,
    compiled: CompiledCollection,
    found: StoredRecord | null,
    expand: readonly string[],
  ): Awaitable<ReadResult> => {
    const { collection } = compiled
    if (found !== null && expand.length === 0 && readsByDefault(compiled, principal, found)) {
      return { collection, record: found, expanded: null }
    }
    const authorization = createAuthorization(tx, catalog, principal, clock.now())
    return andThen(authorization.readable(compiled, found), async (record) => {
      if (expand.length === 0) return { collection, record, expanded: null }
      const expanded = await expandRecords(authorization, catalog, compiled, [record], expand)
      return { collection, record, expanded: expanded && (expanded.get(record.id) ?? {}) }
    })
  }

  return {
    get: (principal, name, id, { expand = [] } = {}) =>
      unitOfWork.read((tx) =>
        andThen(catalog.find(tx, name), (compiled) =>
          andThen(tx.records(compiled.storage).findById(id), (found) =>
            authorized(tx, principal, compiled, found, expand),
          ),
        ),
      ),

    checkCreate: (principal, name) =>
      unitOfWork.read(async (tx) => {
        const compiled = await catalog.find(tx, name)
        const authorization = createAuthorization(tx, catalog, principal, clock.now())
        await creationRule(authorization, compiled)
      }),

    checkChange: (principal, name, id) =>
      unitOfWork.read(async (tx) => {
        const compiled = await catalog.find(tx, name)
        const authorization = createAuthorization(tx, catalog, principal, clock.now())
        const record = await authorization.readable(compiled, await tx.records(compiled.storage).findById(id))
        await requireChangeable(authorization, compiled, record)
      }),
  }
}

const recordRoot = (
  { catalog, operations }: Pick<Deps, 'catalog'> & { readonly operations: RecordOperations },
  name: string,
  erasure: Erasure,
): DeletionRoot => {
  const find = async (change: Change) => {
    const compiled = await catalog.find(change.tx, name)
    return { compiled, record: await operations.erasable(change, compiled, erasure) }
  }
  return {
    target: { target: name, id: erasure.id },
    check: async (change) => void (await find(change)),
    remove: catalog.builtIn.every((collection) => collection.name !== name)
      ? null
      : async (change) => {
          const { compiled, record } = await find(change)
          await deleteRecord(change, compiled, record)
        },
  }
}

export const createRecords = (deps: Deps): Records & RecordHistory => {
  const { catalog, unitOfWork } = deps
  const { changing, adding } = deps.units
  const operations = createRecordOperations(deps)
  const deleteLarge = createLargeDeletions(deps)
  const performAll = createBatches(catalog, operations)

  return {
    collection: (name) => {
      const builtIn = catalog.builtIn.find((collection) => collection.name === name)
      return builtIn ?? unitOfWork.read((tx) => andThen(catalog.find(tx, name), ({ collection }) => collection))
    },

    ...createReads(deps),
    ...createRecordLists(deps),
    ...createRecordHistory({ ...deps, operations }),
    importLines: createRecordImports({ catalog, unitOfWork, operations, adding }),

    create: (author, name, draft, { idempotency, isChecked = false }) =>
      adding(author, async (change) => {
        const compiled = await catalog.find(change.tx, name)
        const { collection } = compiled
        return once(change, idempotency, {
          work: async () => ({ collection, record: await operations.add(change, compiled, { draft, isChecked }) }),
          owners: (result) => (author.userId === null ? [] : ownersOf(result, author)),
        })
      }),

    update: (author, name, id, patch, options) =>
      adding(author, async (change) => {
        const compiled = await catalog.find(change.tx, name)
        const record = await operations.alter(change, compiled, { id, patch, ...options })
        return { collection: compiled.collection, record }
      }),

    async remove(author, name, id, expected) {
      const erasure = { id, expected }
      try {
        await changing(author, async (change) => operations.erase(change, await catalog.find(change.tx, name), erasure))
      } catch (error) {
        if (!(error instanceof LargeDeletion)) throw error
        await deleteLarge(author, recordRoot({ catalog, operations }, name, erasure))
      }
    },

    batch: (actor, all, idempotency) =>
      (all.every(isDelete) ? changing : adding)(actor, (change) =>
        once(change, idempotency, {
          work: () => performAll(change, all),
          owners: (results) => results.flatMap((result) => (result === null ? [] : ownersOf(result, actor))),
        }),
      ),
  }
}
