import { Type } from '@sinclair/typebox'
import { type Collection, pascalCase, rulesOf } from '../../../domain/collection.ts'
import { NDJSON_TYPE } from '../lines.ts'
import { pageResponse } from '../pages.ts'
import { HISTORY_DESCRIPTIONS, HistoryQuery, RecordVersion, Revert } from '../record-history.ts'
import { listQuery, recordQuery } from '../record-query.ts'
import { ImportQuery, ImportResult } from '../record-transfer.ts'
import { IdText } from '../schemas.ts'
import type { Components } from './components.ts'
import type { TitleOf } from './expanded.ts'
import { recordSchemasOf } from './fields.ts'
import { mapValues, type Node, nodeAt } from './node.ts'
import { correctOperation, REFUSAL } from './operation.ts'
import { sampleOf } from './sample.ts'

/** The names of a collection in the document. */
export interface CollectionNames {
  /** `Task`: the schema of a record, the beginning of other schemas, and the end of `createTask`. */
  readonly one: string
  /** `Tasks`, as in `listTasks`. */
  readonly many: string
}

export const namesOf = ({ name, singular }: Collection): CollectionNames => ({
  one: pascalCase(singular),
  many: pascalCase(name),
})

/** The schemas that a collection with these names adds. */
export const schemaNamesOf = ({ one }: CollectionNames): readonly string[] =>
  ['', 'Create', 'Update', 'Expanded', 'Page'].map((end) => `${one}${end}`)

/** The operations that a collection with these names adds. */
export const operationIdsOf = ({ one, many }: CollectionNames): readonly string[] => [
  ...['create', 'get', 'update', 'delete', 'revert'].map((verb) => `${verb}${one}`),
  `get${one}History`,
  ...['list', 'export', 'import'].map((verb) => `${verb}${many}`),
]

type Operations = Readonly<Record<string, Readonly<Record<string, Node>>>>

const plain = (schema: unknown): Node => JSON.parse(JSON.stringify(schema))

const parametersOf = (place: 'query' | 'path', schemas: Readonly<Record<string, unknown>>): readonly Node[] =>
  Object.entries(schemas).map(([name, schema]) => ({
    name,
    in: place,
    required: place === 'path',
    schema: plain(schema),
  }))

const json = (schema: Node): Node => ({ content: { json: { schema } } })

const refusals = (...statuses: readonly number[]): Node =>
  Object.fromEntries(statuses.map((status) => [status, REFUSAL]))

const allowed = (rule: string | null): string => {
  if (rule === null) return 'Admins only.'
  if (rule === 'true') return 'Anyone may call it, signed in or not.'
  return `Allowed if \`${rule}\` is true; admins are always allowed.`
}

const PUBLIC = { who: 'optional' }
const ADMIN = { who: 'admin' }
const ID = parametersOf('path', { id: IdText })

const recordOperations = (collection: Collection, { one, many }: CollectionNames, titleOf: TitleOf): Operations => {
  const { Record, Create, Update } = recordSchemasOf(collection, one, titleOf)
  const { name } = collection
  const rules = rulesOf(collection)
  const tags = [name]
  const noun = collection.singular.replaceAll('_', ' ')
  return {
    '': {
      get: {
        operationId: `list${many}`,
        tags,
        summary: `List ${name.replaceAll('_', ' ')}`,
        description: `Lists and counts what you may read. ${allowed(rules.read)}`,
        parameters: parametersOf('query', listQuery(collection)),
        responses: { 200: json(plain(pageResponse(Type.Unsafe(Record)))), ...refusals(404) },
        'x-admit': PUBLIC,
      },
      post: {
        operationId: `create${one}`,
        tags,
        summary: `Create one ${noun}`,
        description: allowed(rules.create),
        requestBody: json(Create),
        responses: { 201: json(Record), ...refusals(403, 404, 409) },
        'x-admit': { ...PUBLIC, body: 'json', idempotent: true },
      },
    },
    '{id}': {
      get: {
        operationId: `get${one}`,
        tags,
        summary: `Read one ${noun}, with the ETag of its version`,
        description: allowed(rules.read),
        parameters: [...ID, ...parametersOf('query', recordQuery(collection))],
        responses: { 200: json(Record), 304: { description: 'The version you have is still current' } },
        'x-admit': PUBLIC,
      },
      patch: {
        operationId: `update${one}`,
        tags,
        summary: 'Change the given fields (RFC 7396)',
        description: `Omitted fields keep their values. The body can also be \`application/merge-patch+json\`. ${allowed(rules.update)}`,
        parameters: ID,
        requestBody: json(Update),
        responses: { 200: json(Record), ...refusals(403, 409, 412) },
        'x-admit': { ...PUBLIC, body: 'json' },
      },
      delete: {
        operationId: `delete${one}`,
        tags,
        summary: `Delete one ${noun}`,
        description: allowed(rules.delete),
        parameters: ID,
        responses: { 204: { description: 'Done; no content' }, ...refusals(403, 409, 412) },
        'x-admit': PUBLIC,
      },
    },
  }
}

const historyOperations = (collection: Collection, { one }: CollectionNames, titleOf: TitleOf): Operations => {
  const tags = [collection.name]
  const { Record } = recordSchemasOf(collection, one, titleOf)
  return {
    '{id}/history': {
      get: {
        operationId: `get${one}History`,
        tags,
        summary: 'List the versions of a record',
        description: HISTORY_DESCRIPTIONS.history,
        parameters: [...ID, ...parametersOf('query', HistoryQuery.properties)],
        responses: { 200: json(plain(pageResponse(RecordVersion))) },
        'x-admit': PUBLIC,
      },
    },
    '{id}/revert': {
      post: {
        operationId: `revert${one}`,
        tags,
        summary: 'Return to an earlier version',
        description: HISTORY_DESCRIPTIONS.revert,
        parameters: ID,
        requestBody: json(plain(Revert)),
        responses: { 200: json(Record), ...refusals(403, 409, 412) },
        'x-admit': { ...PUBLIC, body: 'json' },
      },
    },
  }
}

/** A line of an export or import. */
const lineSample = ({ fields, required }: Collection): string => {
  const entries = required.map((name) => {
    const field = fields[name]
    return [name, (field && sampleOf(field)) ?? null] as const
  })
  return `${JSON.stringify(Object.fromEntries(entries))}\n`
}

const transferOperations = (collection: Collection, { many }: CollectionNames): Operations => {
  const { name } = collection
  const tags = [name]
  const examples = [lineSample(collection)]
  const lines = {
    type: 'string',
    description: 'One record in JSON on each line',
    contentMediaType: NDJSON_TYPE,
    examples,
  }
  return {
    export: {
      get: {
        operationId: `export${many}`,
        tags,
        summary: `Read all ${name.replaceAll('_', ' ')} as one stream (admin)`,
        description: 'Streamed in the order of their ids, one record in JSON on each line.',
        responses: { 200: json(lines), ...refusals(404) },
        'x-admit': ADMIN,
      },
    },
    import: {
      post: {
        operationId: `import${many}`,
        tags,
        summary: `Create ${name.replaceAll('_', ' ')} from a stream (admin)`,
        description:
          'Each line is the body of a new record, in JSON. Lines are validated and stored in groups as they arrive; a line that is refused does not affect others. After an interruption, the same request with the same `Idempotency-Key` continues where it ended. With `dry_run=true`, nothing is stored, and the key stays unused.',
        parameters: parametersOf('query', ImportQuery.properties),
        requestBody: { content: { [NDJSON_TYPE]: { schema: { type: 'string', examples } } } },
        responses: { 200: json(plain(ImportResult)), ...refusals(404) },
        'x-admit': { ...ADMIN, body: NDJSON_TYPE, idempotent: true },
      },
    },
  }
}

const corrected = (
  { name }: Collection,
  operations: Operations,
  components: Components,
): readonly (readonly [string, Node])[] =>
  Object.entries(operations).map(([end, methods]) => {
    const path = `/api/v1/collections/${name}/records/${end}`
    const get = nodeAt(methods, 'get')
    return [path, mapValues(methods, (raw, method) => correctOperation(raw as Node, { method, path, get }, components))]
  })

/** The paths of a collection defined at run time. `titleOf` is the title of the records of any, by name. */
export const collectionPaths = (
  collection: Collection,
  names: CollectionNames,
  titleOf: TitleOf,
  components: Components,
): Node => {
  const operations = {
    ...recordOperations(collection, names, titleOf),
    ...historyOperations(collection, names, titleOf),
    ...transferOperations(collection, names),
  }
  return Object.fromEntries(corrected(collection, operations, components))
}

/** The paths of a collection defined in code that its own routes do not have. */
export const builtInPaths = (collection: Collection, components: Components): Node =>
  Object.fromEntries(corrected(collection, transferOperations(collection, namesOf(collection)), components))
