import { isNode, listAt, type Node, nodeAt } from '../../src/adapters/http/docs/node.ts'

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  array: Array.isArray,
  object: isNode,
}

const FORMATS: Readonly<Record<string, RegExp>> = {
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
}

/** What `$ref`s of a document lead to. */
const follow = (document: Node, schema: Node): Node =>
  typeof schema.$ref === 'string' ? follow(document, schema.$ref.slice(2).split('/').reduce(nodeAt, document)) : schema

const faultsOfMembers = function* (document: Node, schema: Node, value: Node, at: string): Generator<string> {
  const properties = nodeAt(schema, 'properties')
  for (const name of listAt(schema, 'required')) {
    if (!Object.hasOwn(value, String(name))) yield `${at}/${name} is missing`
  }
  for (const [name, member] of Object.entries(value)) {
    const property = properties[name]
    if (isNode(property)) yield* faultsOf(document, property, member, `${at}/${name}`)
    // A response may have members that are not described, but this server sends none.
    else if (schema.additionalProperties !== true) yield `${at}/${name} is not described`
  }
}

/** In what a value differs from a schema of a document: the part of JSON Schema that the document uses. */
export const faultsOf = function* (document: Node, raw: Node, value: unknown, at = ''): Generator<string> {
  const schema = follow(document, raw)
  const types = typeof schema.type === 'string' ? [schema.type] : listAt(schema, 'type')
  if (types.length > 0 && !types.some((type) => TYPES[String(type)]?.(value)))
    yield `${at} is not ${types.join(' or ')}`
  if ('enum' in schema && !listAt(schema, 'enum').includes(value)) yield `${at} is none of its values`
  const members = listAt(schema, 'oneOf').filter(isNode)
  if (members.length > 0 && members.filter((each) => faultsOf(document, each, value).next().done).length !== 1) {
    yield `${at} is not one of its forms`
  }
  if (typeof value === 'string') {
    if (typeof schema.pattern === 'string' && !new RegExp(schema.pattern, 'u').test(value)) yield `${at} does not match`
    const format = FORMATS[String(schema.format)]
    if (format !== undefined && !format.test(value)) yield `${at} is no ${schema.format}`
  }
  if (Array.isArray(value) && isNode(schema.items)) {
    for (const [index, item] of value.entries()) yield* faultsOf(document, schema.items, item, `${at}/${index}`)
  }
  if (isNode(value) && members.length === 0) yield* faultsOfMembers(document, schema, value, at)
}

/** The schema of a response of an operation: of JSON, or of a problem. */
export const responseSchema = (document: Node, operation: Node, status: number): Node => {
  const response = follow(document, nodeAt(nodeAt(operation, 'responses'), String(status)))
  const [media] = Object.values(nodeAt(response, 'content'))
  return isNode(media) ? nodeAt(media, 'schema') : {}
}
