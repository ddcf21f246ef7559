import type { Components } from './components.ts'
import { isNode, listAt, mapValues, type Node, nodeAt } from './node.ts'

const COMPONENT_NAME = /^[A-Z][A-Za-z0-9_]*$/

/** The string alternatives with which Elysia accepts a number, a boolean or an object in a query. */
const TEXT_FORMS = new Set(['integer', 'numeric', 'boolean', 'ObjectString', 'ArrayString'])

const isNull = (schema: Node) => schema.type === 'null'

const isTextForm = ({ type, format }: Node) => type === 'string' && typeof format === 'string' && TEXT_FORMS.has(format)

/** Whether `null` can be expressed by a list of types. */
const hasPlainType = (schema: Node) => typeof schema.type === 'string' && !('enum' in schema)

/** The discriminator of a union, and its values; null if there is none. */
const discriminatorOf = (raw: readonly Node[], members: readonly Node[]): Node | null => {
  const [first = {}] = raw
  const constant = (schema: Node, name: string) => nodeAt(nodeAt(schema, 'properties'), name).const
  const propertyName = Object.keys(nodeAt(first, 'properties')).find((name) =>
    raw.every((schema) => typeof constant(schema, name) === 'string'),
  )
  if (propertyName === undefined || members.some((member) => !('$ref' in member))) return null
  const mapping = raw.map((schema, index) => [constant(schema, propertyName), members[index]?.$ref])
  return { propertyName, mapping: Object.fromEntries(mapping) }
}

/** The shortest form of "one of these". Never `anyOf`, which some client generators do not support. */
const oneOf = (members: readonly Node[], raw: readonly Node[]): Node => {
  if (members.some((member) => member.type === 'Date')) return { type: 'string', format: 'date-time' }
  const [first, second] = members
  if (first === undefined || second === undefined) return first ?? {}
  if (raw.every((member) => 'const' in member && member.type === raw[0]?.type)) {
    return { type: first.type, enum: raw.map((member) => member.const) }
  }
  if (members.length === 2 && isTextForm(first)) return second
  if (members.length === 2 && hasPlainType(first) && isNull(second)) return { ...first, type: [first.type, 'null'] }
  const discriminator = discriminatorOf(raw, members)
  return { oneOf: members, ...(discriminator === null ? {} : { discriminator }) }
}

/** Whether client generators would invent a name for such a schema. */
const wantsName = (schema: Node): boolean => schema.type === 'object' || 'enum' in schema || 'discriminator' in schema

const MAX_INT32 = 2_147_483_647

/** Without a format, an integer has 32 bits in some languages. */
const integerFormat = ({ type, format, maximum }: Node): Node => {
  const isInteger = type === 'integer' || (Array.isArray(type) && type.includes('integer'))
  if (!isInteger || format !== undefined) return {}
  return { format: typeof maximum === 'number' && maximum <= MAX_INT32 ? 'int32' : 'int64' }
}

const withoutOwnKeywords = ({ openapi, expects, error, $id, nullable, ...schema }: Node): Node => {
  if (!isNode(openapi)) return schema
  const { title, description, default: fallback, examples } = schema
  const kept = { title, description, default: fallback, examples }
  return { ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)), ...openapi }
}

/**
 * A TypeBox schema as JSON Schema 2020-12, which is what OpenAPI 3.1 takes: keywords specific to Skep or Elysia are
 * removed, the keyword `openapi` replaces its schema, and an object, a choice or a union of objects with a `title`
 * becomes a component of that name.
 */
export const correctSchema = (raw: unknown, components: Components): unknown => {
  if (!isNode(raw)) return raw
  const correct = (schema: unknown) => correctSchema(schema, components)
  const { anyOf, patternProperties, title, const: constant, ...schema } = withoutOwnKeywords(raw)
  const result: Record<string, unknown> = constant === undefined ? { ...schema } : { ...schema, enum: [constant] }

  if ('properties' in result) result.properties = mapValues(nodeAt(result, 'properties'), correct)
  for (const key of ['items', 'additionalProperties', 'not'])
    if (isNode(result[key])) result[key] = correct(result[key])
  for (const key of ['allOf', 'oneOf']) if (key in result) result[key] = listAt(result, key).map(correct)
  if (isNode(patternProperties)) result.additionalProperties = correct(Object.values(patternProperties)[0])

  if (Array.isArray(anyOf)) {
    Object.assign(result, { ...oneOf(anyOf.map(correct).filter(isNode), anyOf.filter(isNode)), ...result })
  }
  Object.assign(result, integerFormat(result))
  if ('enum' in result && !('examples' in result)) result.examples = [result.default ?? listAt(result, 'enum')[0]]
  const name = typeof title === 'string' && COMPONENT_NAME.test(title) ? title : null
  if (name !== null && wantsName(result)) return components.refer(name, result)
  return title === undefined ? result : { title, ...result }
}

/**
 * Elysia sets `additionalProperties: false` on compiled responses. The document leaves them open, because clients must
 * tolerate new properties.
 */
const withOpenObjects = (schema: Node): Node => {
  const copy: unknown = JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === 'additionalProperties' && value === false ? undefined : value,
  )
  return isNode(copy) ? copy : {}
}

/**
 * A response's `schema` by media type: each member of a union may name one or several in `contentMediaType`; the
 * default is JSON.
 */
export const contentOf = (
  schema: Node,
  components: Components,
): Readonly<Record<string, { readonly schema: Node }>> => {
  const members = listAt(schema, 'anyOf').filter(isNode)
  const parts = members.some((member) => 'contentMediaType' in member) ? members : [schema]
  const content = parts.flatMap(({ contentMediaType = 'application/json', ...part }) => {
    const corrected = correctSchema(withOpenObjects(part), components)
    const types = String(contentMediaType).split(', ')
    return types.map((type) => [type, { schema: isNode(corrected) ? corrected : {} }] as const)
  })
  return Object.fromEntries(content)
}
