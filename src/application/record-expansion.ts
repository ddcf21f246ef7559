import { type Collection, expandableOf, isOwner, type ReferenceField } from '../domain/collection.ts'
import { AppError } from '../domain/errors.ts'
import type { Json } from '../domain/merge-patch.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { isReadableFile } from './file-access.ts'
import type { ReadTx } from './ports/persistence.ts'
import type { Authorization } from './record-access.ts'
import { idsIn } from './record-references.ts'
import type { Expanded, ExpandedReference } from './record-requests.ts'
import { findInParts } from './referenced-rows.ts'

/** How many records, users and files the whole of an answer may be expanded by. */
const MAX_EXPANDED_COUNT = 100
const MAX_LEVELS_COUNT = 2

/** References to expand, and those to expand of what they lead to. */
type Paths = ReadonlyMap<string, Paths>

const invalid = (detail: string): AppError =>
  new AppError('validation_failed', 'The references to expand cannot be used', {
    faults: [{ in: 'query', pointer: '/expand', detail }],
  })

const parsePaths = (expand: readonly string[]): Paths => {
  const root = new Map<string, Map<string, Paths>>()
  for (const path of expand) {
    const [first = '', second, ...rest] = path.split('.')
    if (rest.length > 0) throw invalid(`Expected at most ${MAX_LEVELS_COUNT} names in a path`)
    const further = root.get(first) ?? new Map<string, Paths>()
    if (second !== undefined) further.set(second, new Map())
    root.set(first, further)
  }
  return root
}

const referenceNamed = (collection: Collection, name: string): ReferenceField | null =>
  expandableOf(collection).find((reference) => reference.name === name) ?? null

/** Throws `validation_failed` for a path that names no reference. */
const checkPaths = async (tx: ReadTx, catalog: Catalog, collection: Collection, paths: Paths): Promise<void> => {
  for (const [name, further] of paths) {
    const reference = referenceNamed(collection, name)
    if (reference === null) throw invalid(`Expected the names of references of ${collection.name}`)
    if (further.size === 0) continue
    const target = await catalog.named(tx, reference.target)
    if (target === null) throw invalid(`Nothing can be expanded of ${reference.target}`)
    await checkPaths(tx, catalog, target.collection, further)
  }
}

/** The ids that a reference of a record has. */
const idsOf = (record: StoredRecord, reference: ReferenceField): readonly number[] => {
  const value: Json | undefined = isOwner(reference) ? record.ownerId : record[reference.name]
  return reference.isList || !Array.isArray(value) ? idsIn(value) : []
}

/** Counts what an answer is expanded by. */
interface Budget {
  remaining: number
}

/** Loads references of several records at once. */
const createExpansion = (authorization: Authorization, catalog: Catalog) => {
  const { tx } = authorization

  const loadUsers = async (ids: readonly number[]): Promise<ReadonlyMap<number, ExpandedReference>> => {
    const found = new Map<number, ExpandedReference>()
    const users = await Promise.all(ids.map((id) => tx.users.findById(id)))
    for (const user of users) if (user !== null) found.set(user.id, { kind: 'user', id: user.id, name: user.name })
    return found
  }

  const loadFiles = async (ids: readonly number[]): Promise<ReadonlyMap<number, ExpandedReference>> => {
    const found = new Map<number, ExpandedReference>()
    for (const id of ids) {
      const file = await tx.files.findById(id)
      if (file !== null && (await isReadableFile(authorization, catalog, file))) found.set(id, { kind: 'file', file })
    }
    return found
  }

  const loadRecords = async (
    compiled: CompiledCollection,
    ids: readonly number[],
    further: Paths,
    budget: Budget,
  ): Promise<ReadonlyMap<number, ExpandedReference>> => {
    const readable: StoredRecord[] = []
    for (const record of await findInParts(tx, compiled.storage, ids)) {
      if (await authorization.mayRead(compiled, record)) readable.push(record)
    }
    const { collection } = compiled
    const expanded = further.size === 0 ? null : await expand(compiled, readable, further, budget)
    return new Map(
      readable.map((record) => [
        record.id,
        { kind: 'record', collection, record, expanded: expanded && (expanded.get(record.id) ?? {}) } as const,
      ]),
    )
  }

  const load = async (target: string, ids: readonly number[], further: Paths, budget: Budget) => {
    if (target === 'users') return loadUsers(ids)
    if (target === 'files') return loadFiles(ids)
    const compiled = await catalog.named(tx, target)
    return compiled === null ? new Map<number, ExpandedReference>() : loadRecords(compiled, ids, further, budget)
  }

  /** The first ids that the budget allows; the same one counts once. */
  const within = (ids: readonly number[], budget: Budget): readonly number[] => {
    const taken = [...new Set(ids)].slice(0, budget.remaining)
    budget.remaining -= taken.length
    return taken
  }

  const expand = async (
    { collection }: CompiledCollection,
    records: readonly StoredRecord[],
    paths: Paths,
    budget: Budget,
  ): Promise<ReadonlyMap<number, Expanded>> => {
    const all = new Map<number, Record<string, ExpandedReference | readonly ExpandedReference[]>>()
    for (const { id } of records) all.set(id, {})
    for (const [name, further] of paths) {
      const reference = referenceNamed(collection, name)
      if (reference === null) continue
      const ids = within(
        records.flatMap((record) => idsOf(record, reference)),
        budget,
      )
      const found = await load(reference.target, ids, further, budget)
      for (const record of records) {
        const references = idsOf(record, reference).flatMap((id) => found.get(id) ?? [])
        const shown = reference.isList ? references : references[0]
        const expanded = all.get(record.id)
        if (expanded !== undefined && shown !== undefined) expanded[name] = shown
      }
    }
    return all
  }

  return expand
}

/**
 * What the references of records lead to, by the ids of the records, as far as the caller may read it. Throws
 * `validation_failed` for a path that names no reference. Null if nothing was asked for.
 */
export const expandRecords = async (
  authorization: Authorization,
  catalog: Catalog,
  compiled: CompiledCollection,
  records: readonly StoredRecord[],
  expand: readonly string[],
): Promise<ReadonlyMap<number, Expanded> | null> => {
  if (expand.length === 0) return null
  const paths = parsePaths(expand)
  await checkPaths(authorization.tx, catalog, compiled.collection, paths)
  return createExpansion(authorization, catalog)(compiled, records, paths, { remaining: MAX_EXPANDED_COUNT })
}
