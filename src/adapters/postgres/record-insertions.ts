import type { StoredCollection } from '../../application/ports/collections.ts'
import type { RecordRepository } from '../../application/ports/records.ts'
import type { NewRecord } from '../../domain/record.ts'
import { isSearched, type StoredForm, storedFormOf } from '../sql/stored-records.ts'
import { type Int8, insertedRow, int, numberArray, type Parameter, type Transaction, textArray } from './connection.ts'
import { conflictIfIdTaken } from './errors.ts'
import { keyParameters, toNotUnique } from './record-keys.ts'
import type { UnitContext } from './records.ts'
import { INSERT, INSERT_ALL } from './stored-record-statements.ts'
import { vectorOf } from './words.ts'

export const wordsOf = (stored: StoredCollection, ownerId: number | null, { text }: StoredForm): string | null =>
  isSearched(stored) ? vectorOf({ ownerId, collectionId: stored.id, text }) : null

/** In the order of the columns that statements set. */
export const valuesOf = ({ data, shape, next, nextShape, bytes }: StoredForm): readonly Parameter[] => [
  data,
  shape,
  next,
  nextShape,
  bytes,
]

/** The parameters of {@link INSERT_ALL}. */
const insertAllParameters = (
  stored: StoredCollection,
  epoch: string,
  records: readonly NewRecord[],
  forms: readonly StoredForm[],
): readonly Parameter[] => {
  const owners = records.map(({ ownerId }) => ownerId)
  const numbers = forms.flatMap(({ keys }, at) => keys.map(() => at + 1))
  return [
    ...[stored.id, epoch, stored.shape],
    numberArray(owners),
    numberArray(records.map(({ version }) => version)),
    numberArray(records.map(({ createdAt }) => createdAt)),
    numberArray(records.map(({ updatedAt }) => updatedAt)),
    textArray(forms.map(({ data }) => data)),
    numberArray(forms.map(({ bytes }) => bytes)),
    textArray(forms.map((form, at) => wordsOf(stored, owners[at] ?? null, form))),
    ...keyParameters(forms.flatMap(({ keys }) => keys)),
    numberArray(numbers),
  ]
}

/** Throws `not_unique` for a failure of a statement that stores entries of unique indexes. */
export const refusingDuplicates = async <T>(stored: StoredCollection, work: Promise<T>): Promise<T> => {
  try {
    return await work
  } catch (error) {
    throw toNotUnique(stored, conflictIfIdTaken('records', error))
  }
}

/** Inserts records of a collection defined at run time. */
export const insertionsIn = (
  connection: Transaction,
  stored: StoredCollection,
  { epoch: present, usage }: UnitContext,
): Pick<RecordRepository, 'insert' | 'insertAll'> => ({
  async insert(record, next) {
    const { ownerId, version, createdAt, updatedAt } = record
    const epoch = present.current
    const form = storedFormOf(stored, record, next)
    const isUnique = record.id !== undefined || form.keys.some(({ isUnique }) => isUnique)
    const insert = isUnique ? connection.insertUnique : connection.insert
    const rows = await refusingDuplicates(
      stored,
      insert<{ id: Int8 }>(
        INSERT,
        ...[stored.id, ownerId, version, epoch, createdAt, updatedAt, ...valuesOf(form), version],
        wordsOf(stored, ownerId, form),
        ...keyParameters(form.keys),
        record.id ?? null,
      ),
    )
    usage.add(ownerId, form.bytes)
    return { ...record, id: int(insertedRow(rows).id), epoch }
  },
  async insertAll(records) {
    const epoch = present.current
    const forms = records.map((record) => storedFormOf(stored, record, undefined))
    const isUnique = forms.some(({ keys }) => keys.some(({ isUnique }) => isUnique))
    const insert = isUnique ? connection.insertUnique : connection.insert
    const parameters = insertAllParameters(stored, epoch, records, forms)
    const ids = await refusingDuplicates(stored, insert<{ id: Int8 }>(INSERT_ALL, ...parameters))
    return records.map((record, at) => {
      usage.add(record.ownerId, forms[at]?.bytes ?? 0)
      return { ...record, id: int(insertedRow(ids.slice(at)).id), epoch }
    })
  },
})
