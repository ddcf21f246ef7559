import { Type } from '@sinclair/typebox'
import { type TSchema, t } from 'elysia'
import type { RecordOperation } from '../../application/records.ts'
import {
  type Collection,
  type Draft,
  type FieldSchema,
  type FieldValues,
  isAlwaysPresent,
  isNullable,
  type Patch,
  titleOf,
  typeOf,
} from '../../domain/collection.ts'
import { collectionNamed } from '../../domain/collections/index.ts'
import type { Json, JsonObject } from '../../domain/merge-patch.ts'
import { BATCH_LIMITS, type StoredRecord } from '../../domain/record.ts'
import { isLine, LINE_PATTERN } from '../../domain/text.ts'
import { expandedNode } from './docs/expanded.ts'
import { integer } from './integer.ts'
import { listQuery } from './record-query.ts'
import { body, Id, IdText, queryOf, Timestamp, text, textWithoutNul } from './schemas.ts'
import { toTimestamp } from './timestamps.ts'

const MAX_LENGTH = 1_000_000

const isVisibleLine = (length: { readonly minLength: number; readonly maxLength: number }, about: object) =>
  text({
    accepts: (value) => isLine(value, length),
    expects: `${length.minLength} to ${length.maxLength} visible characters`,
    openapi: { type: 'string', ...length, pattern: LINE_PATTERN, ...about },
  })

/** The schema of a field in requests, for the validator and the document. */
const sentSchema = (field: FieldSchema): TSchema => {
  const { minLength = 0, maxLength = MAX_LENGTH, minimum, maximum, description, examples } = field
  const about = { ...(description && { description }), ...(examples && { examples }) }
  switch (typeOf(field)) {
    case 'string':
      return field['x-line'] === true
        ? isVisibleLine({ minLength, maxLength }, about)
        : textWithoutNul({ maxLength, ...(minLength > 0 && { minLength }) }, about)
    case 'boolean':
      return Type.Boolean(about)
    case 'number':
      return Type.Number({
        ...(minimum !== undefined && { minimum }),
        ...(maximum !== undefined && { maximum }),
        ...about,
      })
    case 'integer':
      return Type.Integer({
        minimum: minimum ?? Number.MIN_SAFE_INTEGER,
        maximum: maximum ?? Number.MAX_SAFE_INTEGER,
        ...about,
      })
    case 'array':
      return Type.Array(Type.Any(), about)
    case 'object':
      return t.Object(
        {},
        { ...about, additionalProperties: true, openapi: { type: 'object', additionalProperties: true, ...about } },
      )
  }
}

/** The schema of a field in responses. Looser than in requests, because stored values were checked. */
const shownSchema = (field: FieldSchema): TSchema => {
  const { description, examples } = field
  const about = { ...(description && { description }), ...(examples && { examples }) }
  switch (typeOf(field)) {
    case 'string':
      return t.String(about)
    case 'boolean':
      return Type.Boolean(about)
    case 'number':
      return Type.Number(about)
    case 'integer':
      return Type.Integer(about)
    case 'array':
    case 'object':
      return sentSchema(field)
  }
}

const orNull = (schema: TSchema, isNull: boolean): TSchema => (isNull ? t.Nullable(schema) : schema)

const schemasOf = <T>(collection: Collection, make: (field: FieldSchema, name: string) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(collection.fields).map(([name, field]) => [name, make(field, name)]))

/** A record as REST and WebSocket show it. */
export type RecordBody<C extends Collection> = {
  readonly id: number
  readonly owner_id: number
  readonly version: number
  readonly created_at: string
  readonly updated_at: string
  readonly expanded?: object
} & FieldValues<C>

/** As {@link RecordBody}, of any collection. */
export type AnyRecordBody = { readonly id: number } & Readonly<Record<string, Json>>

type SortField<C extends Collection> = 'created_at' | 'updated_at' | C['sorts'][number]

/** The query parameters of a list. */
export interface RecordsQuery<C extends Collection = Collection> {
  page?: string
  size?: string
  sort?: SortField<C> | `-${SortField<C>}`
  total?: 'true' | 'false'
  cursor?: string
  q?: string
  filter?: string
  expand?: string
  created_after?: string
  created_before?: string
  owner_id?: string
}

type BatchOperation<C extends Collection> =
  | ({ op: 'create' } & Draft<C>)
  | ({ op: 'update'; id: number; version?: number } & Patch<C>)
  | { op: 'delete'; id: number; version?: number }

/** An id in a body. */
// Elysia's own Integer accepts "1" as 1.
export const SentId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, examples: [1] })
const VERSION =
  'Fails with version_mismatch if the current version differs. Unlike an ETag, it cannot distinguish two versions with the same number before and after a restore'
/** The expected version in an operation of a batch. */
export const Version = t.Optional(
  Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: VERSION, examples: [3] }),
)

const titleOfBuiltIn = (name: string): string | undefined => {
  const collection = collectionNamed(name)
  return collection === null ? undefined : titleOf(collection)
}

/** The expanded references. The document describes them more exactly than responses are checked. */
const expandedSchema = (collection: Collection) =>
  t.Object({}, { additionalProperties: true, openapi: expandedNode(collection, titleOf(collection), titleOfBuiltIn) })

/** The schema of a record in HTTP responses. */
const recordSchema = <C extends Collection>(collection: C) =>
  t.Unsafe<RecordBody<C>>(
    t.Object(
      {
        id: Id,
        owner_id: Id,
        ...schemasOf(collection, (field) => orNull(shownSchema(field), isNullable(field))),
        version: integer({ minimum: 1, description: 'Increases with each change', examples: [3] }),
        created_at: Timestamp,
        updated_at: Timestamp,
        expanded: t.Optional(expandedSchema(collection)),
      },
      { title: titleOf(collection) },
    ),
  )

/** All request and response schemas of a collection's routes. */
export const createRecordSchemas = <C extends Collection>(collection: C) => {
  const title = titleOf(collection)
  const draft = schemasOf(collection, (field, name) => {
    const schema = orNull(sentSchema(field), isNullable(field))
    return collection.required.includes(name) ? schema : t.Optional(schema)
  })
  const patch = schemasOf(collection, (field) =>
    t.Optional(orNull(sentSchema(field), isNullable(field) || typeOf(field) === 'object')),
  )
  const Record = recordSchema(collection)
  const Operation = t.Union(
    [
      body(`${title}BatchCreate`, { op: t.Literal('create'), ...draft }),
      body(`${title}BatchUpdate`, { op: t.Literal('update'), id: SentId, version: Version, ...patch }),
      body(`${title}BatchDelete`, { op: t.Literal('delete'), id: SentId, version: Version }),
    ],
    { title: `${title}BatchOperation`, expects: 'a create, update or delete' },
  )
  const { minOperations, maxOperations } = BATCH_LIMITS
  return {
    Create: t.Unsafe<Draft<C>>(body(`${title}Create`, draft)),
    Update: t.Unsafe<Patch<C>>(body(`${title}Update`, patch)),
    Record,
    Batch: t.Unsafe<{ operations: BatchOperation<C>[] }>(
      body(`${title}Batch`, {
        operations: t.Array(Operation, { minItems: minOperations, maxItems: maxOperations }),
      }),
    ),
    BatchResult: t.Object(
      {
        results: t.Array(t.Nullable(Record), {
          description: 'One result per operation, in the same order; null for a delete',
        }),
      },
      { title: `${title}BatchResult` },
    ),
    Query: t.Unsafe<RecordsQuery<C>>(queryOf({ ...listQuery(collection), owner_id: t.Optional(IdText) })),
  }
}

/** Converts a record to a response, with the names of the API. */
export const createRecordBody = (collection: Collection): ((record: StoredRecord) => AnyRecordBody) => {
  const fields = Object.keys(collection.fields).map((name) => ({ name, present: isAlwaysPresent(collection, name) }))
  return (record) => {
    const shown: Record<string, Json> & { id: number } = { id: record.id, owner_id: record.ownerId }
    for (const { name, present } of fields) {
      const value = record[name] ?? null
      if (value !== null || present) shown[name] = value
    }
    shown.version = record.version
    shown.created_at = toTimestamp(record.createdAt)
    shown.updated_at = toTimestamp(record.updatedAt)
    return shown
  }
}

const expected = (version: unknown) => (typeof version === 'number' ? [{ version, epoch: null, form: null }] : null)

/** An operation of a batch that has passed a schema; `isChecked` if it was that of its collection. */
export const toOperation = (
  collection: string,
  { op, id, version, ...fields }: JsonObject,
  isChecked: boolean,
): RecordOperation => {
  if (op === 'create') return { collection, op, draft: fields, isChecked }
  if (op === 'update') {
    return { collection, op, id: Number(id), patch: fields, expected: expected(version), isChecked }
  }
  return { collection, op: 'delete', id: Number(id), expected: expected(version) }
}
