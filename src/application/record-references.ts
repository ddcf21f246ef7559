import type { ReferenceField } from '../domain/collection.ts'
import { AppError, type Fault } from '../domain/errors.ts'
import type { Json } from '../domain/merge-patch.ts'
import type { StoredRecord } from '../domain/record.ts'
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
export const idsIn = (value: Json | undefined): readonly number[] =>
  (Array.isArray(value) ? value : [value]).filter((id) => typeof id === 'number')

/** The references of a record that it did not have before. */
const newReferences = (
  { name, target, isList }: ReferenceField,
  record: Fields,
  before: StoredRecord | null,
): readonly Reference[] => {
  const known = new Set(idsIn(before?.[name]))
  return idsIn(record[name])
    .map((id, index) => ({ id, target, pointer: isList ? `/${name}/${index}` : `/${name}` }))
    .filter(({ id }) => !known.has(id))
}

/** Rows are locked in the same order by everyone. */
const inOrder = (ids: Iterable<number>): readonly number[] => [...new Set(ids)].sort((one, other) => one - other)

type Acceptable = (target: string, ids: readonly number[]) => Promise<ReadonlySet<number>>

/** Those that exist and that the caller may read; of users, those that are active. */
const readableTargets =
  (authorization: Authorization, catalog: Catalog): Acceptable =>
  async (target, ids) => {
    const { tx } = authorization
    const found = new Set<number>()
    if (target === 'users') {
      for (const id of ids) if ((await tx.users.findById(id))?.isActive === true) found.add(id)
    } else if (target === 'files') {
      for (const id of ids) {
        const file = await tx.files.findById(id)
        if (file === null || !(await isReadableFile(authorization, catalog, file))) continue
        await requireNotDeleted(tx, target, [file])
        found.add(id)
      }
    } else {
      const compiled = await catalog.named(tx, target)
      const records = compiled === null ? [] : await authorization.records(target, ids)
      for (const record of records) {
        if (compiled === null || !(await authorization.mayRead(compiled, record))) continue
        await requireReferenceable(tx, compiled.storage, record)
        found.add(record.id)
      }
    }
    return found
  }

/** Those that exist. */
const existingTargets =
  (tx: ReadTx, catalog: Catalog): Acceptable =>
  async (target, ids) => {
    const found = new Set<number>()
    if (target === 'users') for (const id of ids) if ((await tx.users.findById(id)) !== null) found.add(id)
    if (target === 'files') {
      for (const id of ids) if ((await tx.files.findById(id)) !== null) found.add(id)
      await requireNotDeleted(
        tx,
        target,
        [...found].map((id) => ({ id })),
      )
    }
    if (target === 'users' || target === 'files') return found
    const compiled = await catalog.named(tx, target)
    if (compiled === null) return found
    for (const record of await findInParts(tx, compiled.storage, ids)) {
      await requireReferenceable(tx, compiled.storage, record)
      found.add(record.id)
    }
    return found
  }

const expectedOf = (target: string): string => {
  if (target === 'users') return 'Expected the id of an active user'
  if (target === 'files') return 'Expected the id of a file that you may read'
  return `Expected the id of a record of ${target} that you may read`
}

const unacceptable = async (
  references: readonly Reference[],
  acceptable: Acceptable,
): Promise<readonly Reference[]> => {
  const faulty: Reference[] = []
  for (const target of [...new Set(references.map((reference) => reference.target))].sort()) {
    const those = references.filter((reference) => reference.target === target)
    const found = await acceptable(target, inOrder(those.map(({ id }) => id)))
    faulty.push(...those.filter(({ id }) => !found.has(id)))
  }
  return faulty
}

/**
 * Throws `validation_failed` with every new reference of a record to something that does not exist or that the caller may
 * not read, or to a user who is not active. Those that it had before stay, whatever has become of their targets.
 */
export const checkReferences = async (
  authorization: Authorization,
  catalog: Catalog,
  { references, collection }: CompiledCollection,
  record: Fields,
  before: StoredRecord | null,
): Promise<void> => {
  if (references.length === 0) return
  const added = references.flatMap((reference) => newReferences(reference, record, before))
  if (added.length === 0) return
  const message = `The ${collection.singular} has references that cannot be used`
  if (added.length > MAX_NEW_REFERENCES_COUNT) {
    const detail = `Expected at most ${MAX_NEW_REFERENCES_COUNT} new references at once`
    throw new AppError('validation_failed', message, { faults: [{ pointer: '', detail }] })
  }
  const faulty = await unacceptable(added, readableTargets(authorization, catalog))
  if (faulty.length === 0) return
  const faults = faulty.map(({ pointer, target }): Fault => ({ pointer, detail: expectedOf(target) }))
  throw new AppError('validation_failed', message, { faults })
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
  const added = records.flatMap((record) => references.flatMap((reference) => newReferences(reference, record, null)))
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
  const all = records.map((record) => references.flatMap((reference) => newReferences(reference, record, null)))
  const faulty = new Set(await unacceptable(all.flat(), existingTargets(tx, catalog)))
  return all.map((own) =>
    own
      .filter((reference) => faulty.has(reference))
      .map(({ pointer, target }) => ({ pointer, detail: `Expected an id that exists in ${target}` })),
  )
}
