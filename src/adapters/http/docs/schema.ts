import type { Components } from './components.ts'
import { isNode, listAt, mapValues, type Node, nodeAt, textAt } from './node.ts'

const COMPONENT_NAME = /^[A-Z][A-Za-z0-9]*$/

/** The text forms by which Elysia takes a number, a boolean or an object from a query. */
const TEXT_FORMS = new Set(['integer', 'numeric', 'boolean', 'ObjectString', 'ArrayString'])

const isNull = (schema: Node) => schema.type === 'null'

const isTextForm = ({ type, format }: Node) => type === 'string' && typeof format === 'string' && TEXT_FORMS.has(format)

/** Whether `null` can be told by a list of types alone. */
const hasPlainType = (schema: Node) => typeof schema.type === 'string' && !('enum' in schema) && !('const' in schema)

/** The shortest way to say "one of these"; null when there is none but `anyOf`. */
const oneOf = (members: readonly Node[]): Node | null => {
  if (members.some((member) => member.type === 'Date')) return { type: 'string', format: 'date-time' }
  const [first, second] = members
  if (first === undefined || second === undefined) return null
  if (members.every((member) => 'const' in member && member.type === first.type)) {
    return { type: first.type, enum: members.map((member) => member.const) }
  }
  if (members.length > 2) return null
  if (isTextForm(first)) return second
  return hasPlainType(first) && isNull(second) ? { ...first, type: [first.type, 'null'] } : null
}

const withoutOwnKeywords = ({ openapi, expects, error, $id, nullable, ...schema }: Node): Node => {
  if (!isNode(openapi)) return schema
  const { title, description, default: fallback, examples } = schema
  const kept = { title, description, default: fallback, examples }
  return { ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)), ...openapi }
}

/**
 * A TypeBox schema as JSON Schema 2020-12, which is what OpenAPI 3.1 takes: what only we or Elysia understand is gone,
 * our keyword `openapi` stands for the schema that carries it, and an object with a `title` becomes a component of
 * that name.
 */
export const correctSchema = (raw: unknown, components: Components): unknown => {
  if (!isNode(raw)) return raw
  const correct = (schema: unknown) => correctSchema(schema, components)
  const { anyOf, patternProperties, title, ...schema } = withoutOwnKeywords(raw)
  const result: Record<string, unknown> = { ...schema }

  if ('properties' in result) result.properties = mapValues(nodeAt(result, 'properties'), correct)
  for (const key of ['items', 'additionalProperties', 'not'])
    if (isNode(result[key])) result[key] = correct(result[key])
  for (const key of ['allOf', 'oneOf']) if (key in result) result[key] = listAt(result, key).map(correct)
  if (isNode(patternProperties)) result.additionalProperties = correct(Object.values(patternProperties)[0])

  if (Array.isArray(anyOf)) {
    const members = anyOf.map(correct).filter(isNode)
    Object.assign(result, { ...(oneOf(members) ?? { anyOf: members }), ...result })
  }
  const name = typeof title === 'string' && COMPONENT_NAME.test(title) ? title : null
  if (name !== null && result.type === 'object') return components.refer(name, result)
  return title === undefined ? result : { title, ...result }
}

/** Elysia closes the answers it has compiled. They stay open here: a client must bear a new property. */
const opened = (schema: Node): Node => {
  const copy: unknown = JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === 'additionalProperties' && value === false ? undefined : value,
  )
  return isNode(copy) ? copy : {}
}

/** An answer's `schema` by media type: each member of a union may name its own in `contentMediaType`, and is JSON otherwise. */
export const contentOf = (schema: Node, components: Components): Node => {
  const members = listAt(schema, 'anyOf').filter(isNode)
  const parts = members.some((member) => 'contentMediaType' in member) ? members : [schema]
  return Object.fromEntries(
    parts.map(({ contentMediaType, ...part }) => [
      textAt({ contentMediaType }, 'contentMediaType') ?? 'application/json',
      { schema: correctSchema(opened(part), components) },
    ]),
  )
}
