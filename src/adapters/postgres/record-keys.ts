import type { StoredCollection } from '../../application/ports/collections.ts'
import type { IndexKey } from '../sql/record-keys.ts'
import { notUnique } from '../sql/stored-records.ts'
import { bytesArray, type Parameter, type Transaction } from './connection.ts'
import { uniqueIndexOf } from './errors.ts'

/** SQL of a table of index entries that {@link keyParameters} gives, beginning with parameter `n`. */
export const givenKeys = (n: number): string =>
  `unnest($${n}::bigint[], $${n + 1}::bytea[], $${n + 2}::boolean[]) AS given (index_id, key, is_unique)`

export const keyParameters = (keys: readonly IndexKey[]): readonly Parameter[] => [
  `{${keys.map(({ index }) => index.id).join()}}`,
  bytesArray(keys.map(({ key }) => key)),
  `{${keys.map(({ isUnique }) => isUnique).join()}}`,
]

/** A record may be stored again with an entry that it already has. */
export const UNLESS_PRESENT = 'ON CONFLICT (index_id, key, created_at, record_id) DO NOTHING'

/** Index entries of records that were deleted. */
export interface DeletedKeys {
  readonly id: string
  readonly createdAt: string
  readonly keys: readonly IndexKey[]
}

const REMOVE = `DELETE FROM record_keys
  USING unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[]) AS gone (index_id, key, created_at, record_id)
  WHERE record_keys.index_id = gone.index_id AND record_keys.key = gone.key
    AND record_keys.created_at = gone.created_at AND record_keys.record_id = gone.record_id`

export const removeKeys = (connection: Transaction, deleted: readonly DeletedKeys[]): void => {
  const all = deleted.flatMap(({ id, createdAt, keys }) =>
    keys.map(({ index, key }) => ({ id, createdAt, index, key })),
  )
  if (all.length === 0) return
  void connection.change(
    REMOVE,
    `{${all.map(({ index }) => index.id).join()}}`,
    bytesArray(all.map(({ key }) => key)),
    `{${all.map(({ createdAt }) => createdAt).join()}}`,
    `{${all.map(({ id }) => id).join()}}`,
  )
}

/** `not_unique` if the failure is that another record has the same entry of a unique index. */
export const toNotUnique = ({ indexes, pending }: StoredCollection, error: unknown): unknown => {
  const id = uniqueIndexOf(error)
  const index = id === null ? undefined : [...indexes, ...(pending?.indexes ?? [])].find((each) => each.id === id)
  return index === undefined ? error : notUnique(index, error)
}
