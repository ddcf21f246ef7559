import type { Collection } from '../domain/collection.ts'
import { AppError, type ErrorCode, type Fault } from '../domain/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/merge-patch.ts'
import type { Actor } from '../domain/session.ts'
import { requireAdmin } from './access.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { createImportKeys, type ImportKeys } from './import-keys.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Change } from './record-changes.ts'
import type { Creation, RecordOperations } from './record-operations.ts'
import type { ImportResult, RefusedLine } from './record-requests.ts'

/** Limits of the lines that are stored in one unit. */
const MAX_PART_COUNT = 50
const MAX_PART_CHARACTERS = 256 * 1_024

const MAX_REFUSED_LINES_COUNT = 1_000

interface Line {
  readonly number: number
  readonly text: string
}

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
const inParts = async function* (lines: AsyncIterable<string>): AsyncGenerator<readonly Line[]> {
  let part: Line[] = []
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
  readonly lines: readonly Line[]
  readonly isDryRun: boolean
}

interface Refusal {
  readonly line: Line
  readonly error: AppError
}

interface Drafts {
  readonly collection: Collection
  readonly records: ReadonlyMap<Line, JsonObject>
  readonly refusals: readonly Refusal[]
}

/**
 * What records would be made of lines, and the lines that no record could be made of, whatever else is stored: found
 * without a unit for each. `keys` are those of earlier lines.
 */
const createDrafting =
  ({ catalog, unitOfWork }: Pick<Deps, 'catalog' | 'unitOfWork'>) =>
  async (name: string, lines: readonly Line[], keys: ImportKeys | null): Promise<Drafts> => {
    const { validator, collection } = await unitOfWork.read(async (tx) => catalog.find(tx, name))
    const refusals: Refusal[] = []
    const records = new Map<Line, JsonObject>()
    const draft = (line: Line): AppError | null => {
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

const createStoring = ({ catalog, operations, adding }: Omit<Deps, 'unitOfWork'>) => {
  const creationOf = async (
    change: Change,
    compiled: CompiledCollection,
    { text }: Line,
    actor: Actor,
    owners: Set<number>,
  ): Promise<Creation> => {
    const line = parseLine(text)
    if (compiled.stored === null && line.owner_id === null) {
      throw invalid([{ pointer: '/owner_id', detail: 'Expected the id of a user' }])
    }
    return { draft: withoutAssigned(line), ownerId: await ownerIn(change, line, actor, owners) }
  }

  /** Runs `store` for lines in one unit. */
  const inUnit = async (
    { actor, name, lines, isDryRun }: Part,
    store: (change: Change, compiled: CompiledCollection, lines: readonly Line[]) => Promise<void>,
  ): Promise<void> => {
    try {
      await adding(actor, async (change) => {
        const { principal } = change.authorization
        if (principal !== null) requireAdmin(principal)
        await store(change, await catalog.find(change.tx, name), lines)
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
      await inUnit(part, async (change, compiled, lines) => {
        const owners = new Set<number>()
        const creations: Creation[] = []
        for (const line of lines) creations.push(await creationOf(change, compiled, line, part.actor, owners))
        isStored = await operations.addAll(change, compiled, creations)
      })
    } catch (error) {
      if (!(error instanceof AppError && LINE_CODES.has(error.code))) throw error
      isStored = false
    }
    return isStored
  }

  /** Stores lines one after the other, or none of them: then the first one that cannot be stored is the refusal. */
  const storeInTurn = async (part: Part): Promise<Refusal | null> => {
    let refusal: Refusal | null = null
    try {
      await inUnit(part, async (change, compiled, lines) => {
        refusal = null
        const owners = new Set<number>()
        for (const line of lines) {
          try {
            await operations.add(change, compiled, await creationOf(change, compiled, line, part.actor, owners))
          } catch (error) {
            if (error instanceof AppError && LINE_CODES.has(error.code)) refusal = { line, error }
            throw error
          }
        }
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
      const refusal = await storeInTurn({ ...part, lines })
      if (refusal === null) break
      refusals.push(refusal)
      lines = lines.filter((line) => line !== refusal.line)
    }
    return refusals
  }

  return { storeInTurn, storePart }
}

/** Counts the refused lines, and lists the first of them. */
const createRefusedLines = () => {
  const lines: RefusedLine[] = []
  let count = 0
  return {
    lines,
    count: () => count,
    add({ line, error }: Refusal): void {
      count++
      if (lines.length >= MAX_REFUSED_LINES_COUNT) return
      lines.push({ line: line.number, code: error.code, detail: error.message, faults: error.faults ?? [] })
    },
  }
}

const without = (lines: readonly Line[], refusals: readonly Refusal[]) =>
  lines.filter((each) => !refusals.some(({ line }) => line === each))

/** Imports records, see `Records.importLines`. */
export const createRecordImports = (deps: Deps) => {
  const draftAll = createDrafting(deps)
  const { storeInTurn, storePart } = createStoring(deps)

  return async (
    actor: Actor,
    name: string,
    lines: AsyncIterable<string>,
    { isDryRun }: { readonly isDryRun: boolean },
  ): Promise<ImportResult> => {
    requireAdmin(actor)
    let created = 0
    const refused = createRefusedLines()
    // A collection that does not exist is an error even without lines.
    await storeInTurn({ actor, name, lines: [], isDryRun: true })
    const keys = isDryRun ? createImportKeys() : null
    for await (const part of inParts(lines)) {
      const { collection, records, refusals: unusable } = await draftAll(name, part, keys)
      const usable = without(part, unusable)
      const refusedThen = await storePart({ actor, name, lines: usable, isDryRun })
      const stored = without(usable, refusedThen)
      const refusals = [...unusable, ...refusedThen]
      created += stored.length
      for (const line of stored) keys?.add(collection, records.get(line) ?? {})
      for (const refusal of refusals.sort((one, other) => one.line.number - other.line.number)) refused.add(refusal)
    }
    return { created, refused: refused.count(), lines: refused.lines }
  }
}
