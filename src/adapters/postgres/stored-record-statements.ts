import { records } from '../sql/entities.ts'
import { unlessDeleted } from '../sql/stored-records.ts'
import { ROW_LOCK } from './connection.ts'
import { givenKeys, UNLESS_PRESENT } from './record-keys.ts'
import { bucketsOf } from './words.ts'

/** All columns except the words, which are only for the index. */
export const COLUMNS = Object.keys(records.columns).join(', ')

/** Excludes deleted records by the ids of deletions in parameter `n`. */
const notDeleted = (n: number): string => unlessDeleted(`SELECT unnest($${n}::bigint[])`)

export const ALL = `SELECT ${COLUMNS} FROM records WHERE id = ANY ($1::bigint[]) AND collection_id = $2`

// A long text is stored out of line, and its length is known without reading it.
export const CHUNK = `SELECT ${COLUMNS}, found FROM (
    SELECT *, count(*) OVER () AS found, sum(size) OVER (ORDER BY id) - size AS before
    FROM (SELECT *, octet_length(data) + coalesce(octet_length(next), 0) AS size FROM records
          WHERE collection_id = $1 AND id > $2 AND ${notDeleted(5)} ORDER BY id LIMIT $3) next
  ) measured WHERE before < $4 ORDER BY id`

const FORM = ['data', 'shape', 'next', 'next_shape', 'bytes'] as const

const INSERTED = ['collection_id', 'owner_id', 'version', 'epoch', 'created_at', 'updated_at', ...FORM, 'words_version']
const INSERTED_TYPES = 'bigint bigint integer text bigint bigint text integer text integer bigint integer'.split(' ')

// collection, owner, version, epoch, created, updated, form, version, words, keys, id
export const INSERT = `WITH stored AS (
    INSERT INTO records (id, ${INSERTED.join(', ')}, words)
    SELECT id, ${INSERTED_TYPES.map((type, n) => `$${n + 1}::${type}`).join(', ')}, $13::tsvector || ${bucketsOf('id')}
    FROM (SELECT coalesce($17::bigint, nextval('records_id_seq')) AS id) AS assigned
    RETURNING id, created_at
  ), added AS (
    INSERT INTO record_keys (index_id, key, created_at, record_id, is_unique)
    SELECT index_id, key, created_at, id, is_unique FROM stored, ${givenKeys(14)}
  )
  SELECT id FROM stored`

// collection, epoch, shape; by record: owner, version, created, updated, data, bytes, words; keys with the number of the record
export const INSERT_ALL = `WITH given AS (
    SELECT nextval('records_id_seq') AS id, each.* FROM unnest(
      $4::bigint[], $5::integer[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::text[]
    ) WITH ORDINALITY AS each (owner_id, version, created_at, updated_at, data, bytes, words, number)
  ), stored AS (
    INSERT INTO records (id, collection_id, owner_id, version, epoch, created_at, updated_at, data, shape, bytes,
      words_version, words)
    SELECT id, $1::bigint, owner_id, version, $2::text, created_at, updated_at, data, $3::integer, bytes,
      version, words::tsvector || ${bucketsOf('id')}
    FROM given ORDER BY number
  ), added AS (
    INSERT INTO record_keys (index_id, key, created_at, record_id, is_unique)
    SELECT index_id, key, created_at, id, is_unique
    FROM given JOIN unnest($11::bigint[], $12::bytea[], $13::boolean[], $14::bigint[])
      AS keys (index_id, key, is_unique, number) USING (number)
  )
  SELECT id FROM given ORDER BY number`

const setForm = (n: number): string => FORM.map((column, at) => `${column} = $${n + at}`).join(', ')

// id, owner, version, epoch, updated, words, form
export const UPDATE = `UPDATE records SET owner_id = $2, version = $3, epoch = $4, updated_at = $5, ${setForm(7)},
    words = $6::tsvector || ${bucketsOf('id')}, words_version = $3
  WHERE id = $1`

// As UPDATE; then created, added keys, removed keys
export const UPDATE_WITH_KEYS = `WITH added AS (
    INSERT INTO record_keys (index_id, key, created_at, record_id, is_unique)
    SELECT index_id, key, $12::bigint, $1::bigint, is_unique FROM ${givenKeys(13)} ${UNLESS_PRESENT}
  ), removed AS (
    DELETE FROM record_keys USING ${givenKeys(16)}
    WHERE record_keys.index_id = given.index_id AND record_keys.key = given.key
      AND record_keys.created_at = $12 AND record_keys.record_id = $1
  )
  ${UPDATE}`

// id, collection, version, epoch, words, form, keys
export const PREPARE = `WITH before AS (
    SELECT id, owner_id, created_at, bytes FROM records
    WHERE id = $1 AND collection_id = $2 AND version = $3 AND epoch = $4 FOR NO KEY UPDATE
  ), added AS (
    INSERT INTO record_keys (index_id, key, created_at, record_id, is_unique)
    SELECT index_id, given.key, created_at, id, is_unique FROM before, ${givenKeys(11)} ${UNLESS_PRESENT}
  )
  UPDATE records SET ${setForm(6)}, words = $5::tsvector || ${bucketsOf('records.id')}, words_version = version
  FROM before WHERE records.id = before.id RETURNING before.owner_id, before.bytes`

export const REMOVE = `DELETE FROM records WHERE id = $1 AND collection_id = $2 RETURNING ${COLUMNS}`

// Rows are locked before they are counted; see `removeOwned` in records.ts.
export const REMOVE_OWNED = `DELETE FROM records
  WHERE id = ANY (ARRAY(SELECT id FROM records WHERE collection_id = $1 AND owner_id = $2
    AND ${notDeleted(4)} LIMIT $3 FOR UPDATE))
  RETURNING ${COLUMNS}`

// collection, owner, limit, epoch, now, term of the owner, term of nobody, deletions
export const RELEASE_OWNED = `UPDATE records SET owner_id = NULL, version = version + 1, epoch = $4, updated_at = $5,
    words = ts_delete(words, $6::text) || array_to_tsvector(ARRAY[$7::text]),
    words_version = CASE WHEN words_version = version THEN version + 1 END
  WHERE id = ANY (
    ARRAY(SELECT id FROM records WHERE collection_id = $1 AND owner_id = $2 AND ${notDeleted(8)}
      ORDER BY id LIMIT $3 FOR NO KEY UPDATE))
  RETURNING ${COLUMNS}`

const referencing = (condition: string): string => `SELECT ${COLUMNS} FROM records
  WHERE collection_id = $1 AND id = ANY (
    ARRAY(SELECT record_id FROM record_keys WHERE index_id = $2 AND key = $3 ${condition}
      ORDER BY created_at, record_id LIMIT $4))
  ORDER BY id ${ROW_LOCK}`

export const REFERENCING = referencing('')

/** As {@link REFERENCING}; then the ids of deletions whose records are left out. */
export const REFERENCING_PRESENT = referencing(
  `AND NOT EXISTS (SELECT FROM records deleted WHERE deleted.id = record_id AND NOT ${notDeleted(5)})`,
)

export const UNMARK = 'UPDATE records SET deletion_id = NULL, deletion_level = NULL, cleared = NULL WHERE id = $1'

/** The next records with a key, in the order of their creation. */
export const REFERRERS = `SELECT record_id AS id, created_at FROM record_keys
  WHERE index_id = $1 AND key = $2 AND (created_at, record_id) > ($3, $4) ORDER BY created_at, record_id LIMIT $5`
