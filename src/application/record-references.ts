import type { Collection, ReferenceField } from '../domain/collection.ts'
import { AppError, type Fault } from '../domain/errors.ts'
import type { Json } from '../domain/merge-patch.ts'
import type { StoredRecord } from '../domain/record.ts'
import { type Awaitable, andThen, filterInTurn } from './awaitable.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { isReadableFile } from './file-access.ts'
import type { ReadTx } from './ports/persistence.ts'
import type { Authorization } from './record-access.ts'
import { findInParts, requireNotDeleted, requireReferenceable } from './referenced-rows.ts'

/** How many references a change of one record may add. */
const MAX_NEW_REFERENCES_COUNT = 1_000

type Fields = Readonly<Record<string, Json>>

interface Reference {
  readonly id: number
  readonly target: string
  readonly pointer: string
}

/** The ids in the value of a reference, or of a list of references. */
export const idsIn = (value: Json | undefined): readonly number[] => {
  if (typeof value === 'number') return [value]
  return Array.isArray(value) ? value.filter((id) => typeof id === 'number') : []
}

/** The references of a record that it did not have before. */
const newReferences = (
  references: readonly ReferenceField[],
  record: Fields,
  before: StoredRecord | null,
): readonly Reference[] => {
  const added: Reference[] = []
  for (const { name, target, isList } of references) {
    const known = before && new Set(idsIn(before[name]))
    idsIn(record[name]).forEach((id, index) => {
      if (known?.has(id)) return
      added.push({ id, target, pointer: isList ? `/${name}/${index}` : `/${name}` })
    })
  }
  return added
}

/** Rows are locked in the same order by everyone. */
const inOrder = (ids: Iterable<number>): readonly number[] => [...new Set(ids)].sort((one, other) => one - other)

/** The ids that are acceptable, in no order. */
type Acceptable = (target: string, ids: readonly number[]) => Awaitable<readonly number[]>

const idOf = ({ id }: { readonly id: number }): number => id

const isReferenceableFile = async (authorization: Authorization, catalog: Catalog, id: number): Promise<boolean> => {
  const { tx } = authorization
  const file = await tx.files.findById(id)
  if (file === null || !(await isReadableFile(authorization, catalog, file))) return false
  await requireNotDeleted(tx, 'files', [file])
  return true
}

const isReferenceable = (
  authorization: Authorization,
  compiled: CompiledCollection,
  record: StoredRecord,
): Awaitable<boolean> =>
  andThen(
    authorization.mayRead(compiled, record),
    (mayRead) => mayRead && andThen(requireReferenceable(authorization.tx, compiled.storage, record), () => true),
  )

/** Those that exist and that the caller may read; of users, those that are active. */
const readableTargets =
  (authorization: Authorization, catalog: Catalog): Acceptable =>
  (target, ids) => {
    const { tx } = authorization
    if (target === 'users') return filterInTurn(ids, async (id) => (await tx.users.findById(id))?.isActive === true)
    if (target === 'files') return filterInTurn(ids, (id) => isReferenceableFile(authorization, catalog, id))
    return andThen(catalog.named(tx, target), (compiled) => {
      if (compiled === null) return []
      const readable = andThen(authorization.records(target, ids), (found) =>
        filterInTurn(found, (record) => isReferenceable(authorization, compiled, record)),
      )
      return andThen(readable, (records) => records.map(idOf))
    })
  }

/** Those that exist. */
const existingTargets =
  (tx: ReadTx, catalog: Catalog): Acceptable =>
  async (target, ids) => {
    if (target === 'users') return filterInTurn(ids, async (id) => (await tx.users.findById(id)) !== null)
    if (target === 'files') {
      const found = await filterInTurn(ids, async (id) => (await tx.files.findById(id)) !== null)
      await requireNotDeleted(
        tx,
        target,
        found.map((id) => ({ id })),
      )
      return found
    }
    const compiled = await catalog.named(tx, target)
    if (compiled === null) return []
    const records = await findInParts(tx, compiled.storage, ids)
    for (const record of records) await requireReferenceable(tx, compiled.storage, record)
    return records.map(idOf)
  }

const expectedOf = (target: string): string => {
  if (target === 'users') return 'Expected the id of an active user'
  if (target === 'files') return 'Expected the id of a file that you may read'
  return `Expected the id of a record of ${target} that you may read`
}

const unacceptable = (references: readonly Reference[], acceptable: Acceptable): Awaitable<readonly Reference[]> => {
  const [first] = references
  if (first === undefined || references.length > 1) return unacceptableOf(references, acceptable)
  return andThen(acceptable(first.target, [first.id]), ({ length }) => (length === 1 ? [] : references))
}

const unacceptableOf = async (
  references: readonly Reference[],
  acceptable: Acceptable,
): Promise<readonly Reference[]> => {
  const faulty: Reference[] = []
  for (const target of [...new Set(references.map((reference) => reference.target))].sort()) {
    const those = references.filter((reference) => reference.target === target)
    const found = new Set(await acceptable(target, inOrder(those.map(idOf))))
    faulty.push(...those.filter(({ id }) => !found.has(id)))
  }
  return faulty
}

const unusable = ({ singular }: Collection, faults: readonly Fault[]): AppError =>
  new AppError('validation_failed', `The ${singular} has references that cannot be used`, { faults })

/**
 * Throws `validation_failed` with every new reference of a record to something that does not exist or that the caller may
 * not read, or to a user who is not active. Those that it had before stay, whatever has become of their targets.
 */
export const checkReferences = (
  authorization: Authorization,
  catalog: Catalog,
  { references, collection }: CompiledCollection,
  record: Fields,
  before: StoredRecord | null,
): Awaitable<void> => {
  if (references.length === 0) return
  const added = newReferences(references, record, before)
  if (added.length === 0) return
  if (added.length > MAX_NEW_REFERENCES_COUNT) {
    const detail = `Expected at most ${MAX_NEW_REFERENCES_COUNT} new references at once`
    throw unusable(collection, [{ pointer: '', detail }])
  }
  return andThen(unacceptable(added, readableTargets(authorization, catalog)), (faulty) => {
    if (faulty.length === 0) return
    throw unusable(
      collection,
      faulty.map(({ pointer, target }) => ({ pointer, detail: expectedOf(target) })),
    )
  })
}

/**
 * Whether {@link checkReferences} accepts every one of several new records. False also if they have too many references to
 * be checked together.
 */
export const areReferencesSound = async (
  authorization: Authorization,
  catalog: Catalog,
  { references }: CompiledCollection,
  records: readonly Fields[],
): Promise<boolean> => {
  const added = records.flatMap((record) => newReferences(references, record, null))
  if (added.length > MAX_NEW_REFERENCES_COUNT) return false
  return (await unacceptable(added, readableTargets(authorization, catalog))).length === 0
}

/** The faults of references to what does not exist, of each of several records. */
export const danglingReferences = async (
  tx: ReadTx,
  catalog: Catalog,
  references: readonly ReferenceField[],
  records: readonly Fields[],
): Promise<readonly (readonly Fault[])[]> => {
  const all = records.map((record) => newReferences(references, record, null))
  const faulty = new Set(await unacceptable(all.flat(), existingTargets(tx, catalog)))
  return all.map((own) =>
    own
      .filter((reference) => faulty.has(reference))
      .map(({ pointer, target }) => ({ pointer, detail: `Expected an id that exists in ${target}` })),
  )
}
