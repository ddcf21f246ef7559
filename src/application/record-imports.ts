import type { Collection } from '../domain/collection.ts'
import { AppError, type ErrorCode, type Fault } from '../domain/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/merge-patch.ts'
import type { Actor } from '../domain/session.ts'
import { requireAdmin } from './access.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import type { IdempotentResult } from './idempotency.ts'
import { createImportOnce, findImport, type ImportIdempotency, type ImportOnce } from './import-idempotency.ts'
import { createImportKeys, type ImportKeys } from './import-keys.ts'
import { type ImportLine, type ImportResult, NOTHING_IMPORTED, type Refusal, withPart } from './import-results.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Change } from './record-changes.ts'
import type { Creation, RecordOperations } from './record-operations.ts'
import type { Records } from './record-requests.ts'

/** Limits of the lines that are stored in one unit. */
const MAX_PART_COUNT = 50
const MAX_PART_CHARACTERS = 256 * 1_024

/** Errors that say something about a line. Any other ends the import. */
const LINE_CODES: ReadonlySet<ErrorCode> = new Set(['validation_failed', 'data_too_large', 'not_unique', 'forbidden'])

/** Thrown to roll back. */
class RolledBack extends Error {}

const invalid = (faults: readonly Fault[], detail = 'The line does not have the expected form') =>
  new AppError('validation_failed', detail, { faults })

const parseLine = (text: string): JsonObject => {
  let value: Json
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid([], 'The line is not valid JSON')
  }
  if (!isJsonObject(value)) throw invalid([{ pointer: '', detail: 'Expected an object' }])
  return value
}

/** What an export adds to the fields of a record; except for the owner, an import assigns it anew. */
const ASSIGNED = ['id', 'version', 'created_at', 'updated_at']

const withoutAssigned = (line: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(line).filter(([name]) => name !== 'owner_id' && !ASSIGNED.includes(name)))

/** Who owns the record of a line; `owners` are users who were found in the same unit. */
const ownerIn = async ({ tx }: Change, line: JsonObject, actor: Actor, owners: Set<number>): Promise<number | null> => {
  if (!Object.hasOwn(line, 'owner_id')) return actor.userId
  const ownerId = line.owner_id
  if (ownerId === null) return null
  if (typeof ownerId === 'number' && owners.has(ownerId)) return ownerId
  const owner = typeof ownerId === 'number' && Number.isSafeInteger(ownerId) ? await tx.users.findById(ownerId) : null
  if (owner === null) throw invalid([{ pointer: '/owner_id', detail: 'Expected the id of a user, or null' }])
  owners.add(owner.id)
  return owner.id
}

/** Lines that are stored together. */
const inParts = async function* (lines: AsyncIterable<string>): AsyncGenerator<readonly ImportLine[]> {
  let part: ImportLine[] = []
  let size = 0
  let number = 0
  for await (const text of lines) {
    number++
    if (text.trim() === '') continue
    part.push({ number, text })
    size += text.length
    if (part.length < MAX_PART_COUNT && size < MAX_PART_CHARACTERS) continue
    yield part
    part = []
    size = 0
  }
  if (part.length > 0) yield part
}

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly operations: RecordOperations
  /** Runs a unit that needs space on behalf of an actor. */
  readonly adding: <T>(actor: Actor, work: (change: Change) => Promise<T>) => Promise<T>
}

/** Lines to store in one unit. */
interface Part {
  readonly actor: Actor
  readonly name: string
  readonly lines: readonly ImportLine[]
  readonly isDryRun: boolean
  /** Called in the unit that stores lines, which are all that were not refused. */
  readonly onStored?: (change: Change, stored: readonly ImportLine[], refusals: readonly Refusal[]) => Promise<void>
}

interface Drafts {
  readonly collection: Collection
  readonly records: ReadonlyMap<ImportLine, JsonObject>
  readonly refusals: readonly Refusal[]
}

/**
 * What records would be made of lines, and the lines that no record could be made of, whatever else is stored: found
 * without a unit for each. `keys` are those of earlier lines.
 */
const createDrafting =
  ({ catalog, unitOfWork }: Pick<Deps, 'catalog' | 'unitOfWork'>) =>
  async (name: string, lines: readonly ImportLine[], keys: ImportKeys | null): Promise<Drafts> => {
    const { validator, collection } = await unitOfWork.read(async (tx) => catalog.find(tx, name))
    const refusals: Refusal[] = []
    const records = new Map<ImportLine, JsonObject>()
    const draft = (line: ImportLine): AppError | null => {
      const drafted = validator.draft(withoutAssigned(parseLine(line.text)))
      if ('faults' in drafted) return invalid(drafted.faults)
      records.set(line, drafted.record)
      return keys?.refusalOf(collection, drafted.record) ?? null
    }
    for (const line of lines) {
      try {
        const error = draft(line)
        if (error !== null) refusals.push({ line, error })
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        refusals.push({ line, error })
      }
    }
    return { collection, records, refusals }
  }

const creationOf = async (
  change: Change,
  compiled: CompiledCollection,
  { text }: ImportLine,
  actor: Actor,
  owners: Set<number>,
): Promise<Creation> => {
  const line = parseLine(text)
  if (compiled.stored === null && line.owner_id === null) {
    throw invalid([{ pointer: '/owner_id', detail: 'Expected the id of a user' }])
  }
  return { draft: withoutAssigned(line), ownerId: await ownerIn(change, line, actor, owners) }
}

const createStoring = ({ catalog, operations, adding }: Omit<Deps, 'unitOfWork'>) => {
  /** Runs `work` in one unit. */
  const inUnit = async (
    { actor, name, isDryRun }: Pick<Part, 'actor' | 'name' | 'isDryRun'>,
    work: (change: Change, compiled: CompiledCollection) => Promise<void>,
  ): Promise<void> => {
    try {
      await adding(actor, async (change) => {
        const { principal } = change.authorization
        if (principal !== null) requireAdmin(principal)
        await work(change, await catalog.find(change.tx, name))
        if (isDryRun) throw new RolledBack('a dry run changes nothing')
      })
    } catch (error) {
      if (!(error instanceof RolledBack)) throw error
    }
  }

  /** Stores all lines by few statements. False if that was not possible: then none of them is stored. */
  const storeTogether = async (part: Part): Promise<boolean> => {
    let isStored = false
    try {
      await inUnit(part, async (change, compiled) => {
        const owners = new Set<number>()
        const creations: Creation[] = []
        for (const line of part.lines) creations.push(await creationOf(change, compiled, line, part.actor, owners))
        isStored = await operations.addAll(change, compiled, creations)
        if (isStored) await part.onStored?.(change, part.lines, [])
      })
    } catch (error) {
      if (!(error instanceof AppError && LINE_CODES.has(error.code))) throw error
      isStored = false
    }
    return isStored
  }

  /** Stores lines one after the other, or none of them: then the first one that cannot be stored is the refusal. */
  const storeInTurn = async (part: Part, earlier: readonly Refusal[]): Promise<Refusal | null> => {
    let refusal: Refusal | null = null
    try {
      await inUnit(part, async (change, compiled) => {
        refusal = null
        const owners = new Set<number>()
        for (const line of part.lines) {
          try {
            await operations.add(change, compiled, await creationOf(change, compiled, line, part.actor, owners))
          } catch (error) {
            if (error instanceof AppError && LINE_CODES.has(error.code)) refusal = { line, error }
            throw error
          }
        }
        if (part.lines.length > 0) await part.onStored?.(change, part.lines, earlier)
      })
    } catch (error) {
      if (refusal === null) throw error
    }
    return refusal
  }

  /** Stores the lines that can be stored; the refusals of all others. */
  const storePart = async (part: Part): Promise<readonly Refusal[]> => {
    const refusals: Refusal[] = []
    let { lines } = part
    if (lines.length === 0 || (await storeTogether(part))) return refusals
    while (lines.length > 0) {
      const refusal = await storeInTurn({ ...part, lines }, refusals)
      if (refusal === null) break
      refusals.push(refusal)
      lines = lines.filter((line) => line !== refusal.line)
    }
    return refusals
  }

  return { inUnit, storePart }
}

const without = (lines: readonly ImportLine[], refusals: readonly Refusal[]) =>
  lines.filter((each) => !refusals.some(({ line }) => line === each))

/** Imports records, see `Records.importLines`. */
export const createRecordImports = (deps: Deps): Records['importLines'] => {
  const draftAll = createDrafting(deps)
  const { inUnit, storePart } = createStoring(deps)

  /** An import with an Idempotency-Key; null without one. A collection that does not exist is an error even without lines. */
  const begin = async (actor: Actor, name: string, idempotency: ImportIdempotency | null) => {
    const begun: { once: ImportOnce | null } = { once: null }
    await inUnit({ actor, name, isDryRun: true }, async ({ tx, now }) => {
      if (idempotency === null) return
      begun.once = createImportOnce(actor.userId, idempotency, await findImport(tx, actor.userId, idempotency, now))
    })
    return begun.once
  }

  const end = async (
    actor: Actor,
    name: string,
    once: ImportOnce,
    result: ImportResult,
  ): Promise<IdempotentResult<ImportResult>> => {
    let ended: IdempotentResult<ImportResult> = { result }
    await inUnit({ actor, name, isDryRun: false }, async ({ tx, now }) => {
      ended = await once.end(tx, result, now)
    })
    return ended
  }

  return async (actor, name, lines, { isDryRun, idempotency }) => {
    requireAdmin(actor)
    const once = await begin(actor, name, isDryRun ? null : idempotency)
    let result = once?.earlier ?? NOTHING_IMPORTED
    const keys = isDryRun ? createImportKeys() : null
    for await (const part of inParts(lines)) {
      if (once?.skips(part)) continue
      const { collection, records, refusals: unusable } = await draftAll(name, part, keys)
      const usable = without(part, unusable)
      const before = result
      const onStored: Part['onStored'] = async ({ tx, now }, stored, refusals) => {
        if (once === null) return
        const after = { line: part.at(-1)?.number ?? 0, result: withPart(before, stored, [...unusable, ...refusals]) }
        await once.record(tx, after, now)
      }
      const refusedThen = await storePart({ actor, name, lines: usable, isDryRun, onStored })
      const stored = without(usable, refusedThen)
      if (stored.length > 0) once?.recorded()
      for (const line of stored) keys?.add(collection, records.get(line) ?? {})
      result = withPart(before, stored, [...unusable, ...refusedThen])
    }
    return once === null ? { result } : end(actor, name, once, result)
  }
}
