import { isBuiltIn } from '../domain/collection.ts'
import { FALSE } from '../domain/expression.ts'
import type { Actor, Principal } from '../domain/session.ts'
import type { Catalog } from './catalog.ts'
import {
  type IdempotencyRequest,
  type IdempotentEffect,
  type IdempotentResult,
  withIdempotency,
} from './idempotency.ts'
import type { ReadTx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'
import { createAuthorization, readsByDefault, refuse } from './record-access.ts'
import { createBatches } from './record-batches.ts'
import type { Change } from './record-changes.ts'
import { expandRecords } from './record-expansion.ts'
import { createRecordImports } from './record-imports.ts'
import { createRecordLists } from './record-lists.ts'
import { createRecordOperations } from './record-operations.ts'
import type { ReadResult, RecordOperation, RecordResult, Records } from './record-requests.ts'
import type { RecordUnits } from './record-units.ts'

export type * from './record-requests.ts'

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly units: RecordUnits
  readonly clock: Clock
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

const createReads = ({ catalog, unitOfWork, clock }: Deps): Pick<Records, 'get' | 'checkChange'> => {
  const get = async (
    tx: ReadTx,
    principal: Principal | null,
    name: string,
    id: number,
    expand: readonly string[],
  ): Promise<ReadResult> => {
    const known = catalog.find(tx, name)
    const compiled = known instanceof Promise ? await known : known
    const found = await tx.records(compiled.storage).findById(id)
    if (found !== null && expand.length === 0 && readsByDefault(compiled, principal, found)) {
      return { collection: compiled.collection, record: found, expanded: null }
    }
    const authorization = createAuthorization(tx, catalog, principal, clock.now())
    const record = await authorization.readable(compiled, found)
    if (expand.length === 0) return { collection: compiled.collection, record, expanded: null }
    const expanded = await expandRecords(authorization, catalog, compiled, [record], expand)
    return { collection: compiled.collection, record, expanded: expanded && (expanded.get(id) ?? {}) }
  }

  return {
    get: (principal, name, id, { expand = [] } = {}) => unitOfWork.read((tx) => get(tx, principal, name, id, expand)),

    checkChange: (principal, name, id) =>
      unitOfWork.read(async (tx) => {
        const compiled = await catalog.find(tx, name)
        const authorization = createAuthorization(tx, catalog, principal, clock.now())
        const record = await authorization.readable(compiled, await tx.records(compiled.storage).findById(id))
        if (!(await authorization.readsNext(compiled))) {
          await authorization.authorize(compiled, 'update', record, record)
        } else if ((await authorization.rule(compiled, 'update')) === FALSE) {
          refuse(principal, `You may not change this ${compiled.collection.singular}`)
        }
      }),
  }
}

export const createRecords = (deps: Deps): Records => {
  const { catalog, unitOfWork } = deps
  const { changing, adding } = deps.units
  const operations = createRecordOperations(deps)
  const performAll = createBatches(catalog, operations)

  return {
    collection: (name) => {
      const builtIn = catalog.builtIn.find((collection) => collection.name === name)
      return builtIn ?? unitOfWork.read(async (tx) => (await catalog.find(tx, name)).collection)
    },

    ...createReads(deps),
    ...createRecordLists(deps),
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

    remove: (author, name, id, expected) =>
      changing(author, async (change) =>
        operations.erase(change, await catalog.find(change.tx, name), { id, expected }),
      ),

    batch: (actor, all, idempotency) =>
      (all.every(isDelete) ? changing : adding)(actor, (change) =>
        once(change, idempotency, {
          work: () => performAll(change, all),
          owners: (results) => results.flatMap((result) => (result === null ? [] : ownersOf(result, actor))),
        }),
      ),
  }
}
