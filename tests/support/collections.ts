import { createEventLoopSlices } from '../../src/adapters/bun/event-loop-slices.ts'
import { compileExpression } from '../../src/adapters/cel/compile.ts'
import { NO_RESERVE } from '../../src/adapters/fs/reserve.ts'
import { applyPatch } from '../../src/adapters/json-patch/patch.ts'
import { compilePattern } from '../../src/adapters/json-schema/patterns.ts'
import { compileValidator } from '../../src/adapters/json-schema/validator.ts'
import { createCatalog } from '../../src/application/catalog.ts'
import { createCollections } from '../../src/application/collections.ts'
import type { Store, UnitOfWork } from '../../src/application/ports/persistence.ts'
import type { Clock } from '../../src/application/ports/system.ts'
import { createRecordUnits } from '../../src/application/record-units.ts'
import { createRecords } from '../../src/application/records.ts'
import { COLLECTIONS } from '../../src/domain/collections/index.ts'
import type { AppError, ErrorCode, Fault } from '../../src/domain/errors.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { Anonymous, Caller } from '../../src/domain/session.ts'
import type { NewUser, Role } from '../../src/domain/user.ts'
import { openTestStore, userNamed } from './store.ts'

const MAX_RECORD_BYTES = 65_536

const systemClock = { now: () => Date.now() }

/** What changes records of any collection. */
export const recordUnitsOn = (
  unitOfWork: UnitOfWork,
  clock: Clock = systemClock,
  limits: { readonly maxAffectedCount?: number } = {},
) => {
  const catalog = createCatalog({ collections: COLLECTIONS, compileExpression, compileValidator })
  const units = createRecordUnits({
    catalog,
    unitOfWork,
    clock,
    reserve: NO_RESERVE,
    applyPatch,
    compileValidator,
    maxRecordBytes: MAX_RECORD_BYTES,
    ...limits,
  })
  return { catalog, units }
}

export const NOBODY: Anonymous = { userId: null, requestId: 'test' }

interface CollectionOptions {
  readonly managed?: boolean
  readonly wrap?: (store: UnitOfWork) => UnitOfWork
  readonly clock?: Clock
  readonly maxAffectedCount?: number
}

/** The use cases of collections on a database. */
export const collectionsOn = (
  store: Store,
  { managed = false, wrap = (unitOfWork) => unitOfWork, clock = systemClock, ...limits }: CollectionOptions = {},
) => {
  const unitOfWork = wrap(store)
  const { catalog, units } = recordUnitsOn(unitOfWork, clock, limits)
  const deps = {
    ...{ catalog, units, unitOfWork, clock, compilePattern, compileExpression, compileValidator },
    maxRecordBytes: MAX_RECORD_BYTES,
    slices: createEventLoopSlices(),
  }
  const collections = createCollections({ ...deps, applyPatch, managed })
  const records = createRecords({ ...deps, applyPatch })
  let names = 0

  const person = async (role: Role = 'user', more: Partial<NewUser> = {}): Promise<Caller> =>
    store.write(async (tx) => {
      const { id: userId } = await tx.users.insert({ ...userNamed(`person${++names}`), role, ...more })
      const expiresAt = Date.now() + 3_600_000
      const session = { userId, device: '', address: '', createdAt: 1, lastUsedAt: 1, expiresAt }
      const { id: sessionId } = await tx.sessions.insert(session)
      return { userId, sessionId, role, requestId: 'test', address: '' }
    })

  let admin: Caller | null = null
  const anAdmin = async (): Promise<Caller> => {
    admin ??= await person('admin')
    return admin
  }

  return {
    store,
    catalog,
    units,
    collections,
    records,
    person,
    anAdmin,
    define: async (definition: JsonObject & { readonly name: string }, transform?: readonly JsonObject[]) =>
      collections.put(await anAdmin(), definition.name, definition, {
        expected: null,
        ...(transform && { transform }),
      }),
    async create(author: Caller | Anonymous, name: string, draft: JsonObject) {
      const made = await records.create(author, name, draft, { idempotency: null })
      if ('replayed' in made) throw new Error('replayed')
      return made.result.record
    },
  }
}

/** The use cases of collections on a new database, or with other parts around that. */
export const openCollections = (options: CollectionOptions = {}) => {
  const { store, outside } = openTestStore()
  return { ...collectionsOn(store, options), outside }
}

export interface Refusal {
  readonly code: ErrorCode
  readonly faults?: readonly Fault[]
}

/** The code with which something is refused, and the pointers of its faults. */
export const refusalOf = async (work: Promise<unknown>) => {
  const error: AppError = await work.then(
    () => {
      throw new Error('it was not refused')
    },
    (reason: AppError) => reason,
  )
  if (error.code === undefined) throw error
  return { code: error.code, pointers: (error.faults ?? []).map(({ pointer }) => pointer) }
}

export const codeOf = async (work: Promise<unknown>): Promise<ErrorCode> => (await refusalOf(work)).code
