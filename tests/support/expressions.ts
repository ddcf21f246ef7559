import fc from 'fast-check'
import type { Collection, FieldSchema } from '../../src/domain/collection.ts'
import type { AuthValue } from '../../src/domain/expression.ts'
import type { FindReferenced } from '../../src/domain/expression-evaluation.ts'
import type { Json, JsonObject } from '../../src/domain/merge-patch.ts'
import type { StoredRecord } from '../../src/domain/record.ts'

/** Random schemas, records and expressions. Values come from small pools, so that many are equal. */

const IDS = [1, 2, 3] as const
const NUMBERS = [-1, 0, 1, 1.5, 2, 3, 1_000_000_000_000] as const
const INTEGERS = [-1, 0, 1, 2, 3] as const
const STRINGS = ['', 'a', 'b', 'ab', 'abc', 'B', 'é', '\uffee', '😀', '"\\\n'] as const
const TIMES = [
  '2024-02-29T23:59:59.999Z',
  '2026-01-31T12:00:00Z',
  '2026-01-31T13:00:00+01:00',
  '2026-01-31T12:00:00.5Z',
  '2026-02-01T12:00:00Z',
] as const
const DURATIONS = ['0s', '500ms', '1h', '24h', '-1h30m'] as const

/** The time of requests. */
export const NOW = Date.parse('2026-01-31T12:00:00Z')

/** The collection that others reference. */
export const LISTS: Collection = {
  name: 'lists',
  singular: 'list',
  description: 'Lists of tasks',
  fields: {
    title: { type: 'string', maxLength: 100 },
    rank: { type: ['number', 'null'] },
    open: { type: 'boolean' },
    owner: { type: ['integer', 'null'], 'x-ref': 'users' },
    members: { type: 'array', items: { type: 'integer' }, 'x-ref': 'users' },
  },
  required: ['title'],
  sorts: [],
  search: [],
}

const maybeNull = (type: 'string' | 'integer' | 'number' | 'boolean' | 'array') =>
  fc.constantFrom<FieldSchema['type'][]>(type, [type, 'null'])

const FIELD: Readonly<Record<string, fc.Arbitrary<FieldSchema>>> = {
  name: maybeNull('string').map((type) => ({ type, maxLength: 100 })),
  note: maybeNull('string').map((type) => ({ type, maxLength: 100 })),
  count: maybeNull('integer').map((type) => ({ type })),
  price: maybeNull('number').map((type) => ({ type })),
  done: maybeNull('boolean').map((type) => ({ type })),
  due_at: maybeNull('string').map((type) => ({ type, format: 'date-time' as const })),
  tags: maybeNull('array').map((type) => ({ type, items: { type: 'string' as const } })),
  scores: maybeNull('array').map((type) => ({ type, items: { type: 'number' as const } })),
  days: maybeNull('array').map((type) => ({ type, items: { type: 'string' as const, format: 'date-time' as const } })),
  place: fc.constant<FieldSchema>({
    type: 'object',
    properties: { city: { type: ['string', 'null'] }, floor: { type: 'integer' } },
  }),
  data: fc.constant<FieldSchema>({ type: 'object' }),
  list: maybeNull('integer').map((type) => ({ type, 'x-ref': 'lists' })),
}

/** A collection `tasks` with some of these fields. */
export const collections: fc.Arbitrary<Collection> = fc.record(FIELD, { requiredKeys: [] }).map((fields) => ({
  name: 'tasks',
  singular: 'task',
  description: 'Tasks',
  fields: fields as Readonly<Record<string, FieldSchema>>,
  required: [],
  sorts: [],
  search: [],
}))

/** For `collectionNamed` of a context. */
export const collectionNamed = (name: string): Collection | null => (name === LISTS.name ? LISTS : null)

const valuesOf = (field: FieldSchema): fc.Arbitrary<Json> => {
  const [type, isNullable] = typeof field.type === 'string' ? [field.type, false] : [field.type[0], true]
  const value = (): fc.Arbitrary<Json> => {
    if (field['x-ref'] !== undefined && type === 'integer') return fc.constantFrom(...IDS)
    if (type === 'array') {
      return fc.array(
        field['x-ref'] === undefined ? valuesOf(field.items ?? { type: 'string' }) : fc.constantFrom(...IDS),
        {
          maxLength: 3,
        },
      )
    }
    if (type === 'object') return membersOf(field.properties ?? { city: { type: 'string' }, floor: { type: 'number' } })
    if (type === 'boolean') return fc.boolean()
    if (type === 'string') return field.format === 'date-time' ? fc.constantFrom(...TIMES) : fc.constantFrom(...STRINGS)
    return type === 'integer' ? fc.constantFrom(...INTEGERS) : fc.constantFrom(...NUMBERS)
  }
  return isNullable ? fc.option(value(), { freq: 3 }) : value()
}

const membersOf = (fields: Readonly<Record<string, FieldSchema>>): fc.Arbitrary<JsonObject> =>
  fc
    .record(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, valuesOf(field)])), {
      requiredKeys: [],
      noNullPrototype: true,
    })
    .map((members) => members as JsonObject)

/** Fields of a record. Any of them may be missing. */
export const fieldsOf = (collection: Collection): fc.Arbitrary<JsonObject> => membersOf(collection.fields)

export const recordsOf = (collection: Collection): fc.Arbitrary<StoredRecord> =>
  fc
    .tuple(
      fieldsOf(collection),
      fc.record({
        id: fc.constantFrom(...IDS),
        ownerId: fc.option(fc.constantFrom(...IDS)),
        version: fc.constantFrom(1, 2),
        epoch: fc.constant('e'),
        createdAt: fc.constantFrom(NOW - 1, NOW, NOW + 1),
        updatedAt: fc.constantFrom(NOW - 1, NOW, NOW + 1),
      }),
    )
    .map(([fields, record]) => ({ ...fields, ...record }))

/** Nobody, or a user with one of the ids that records have. */
export const callers: fc.Arbitrary<AuthValue | null> = fc.option(
  fc.record({
    id: fc.constantFrom(...IDS),
    role: fc.constantFrom('user', 'admin'),
    email: fc.constantFrom('a', 'ada@example.com'),
    emailVerified: fc.boolean(),
  }),
)

/** What references find: some lists and users are missing. */
export const references: fc.Arbitrary<FindReferenced> = fc
  .tuple(
    fc.array(recordsOf(LISTS), { maxLength: 3 }),
    fc.array(fc.record({ id: fc.constantFrom(...IDS), name: fc.constantFrom(...STRINGS) }), { maxLength: 3 }),
  )
  .map(([lists, users]) => {
    const found: Readonly<Record<string, readonly JsonObject[]>> = { lists, users }
    return (target, id) => found[target]?.find((record) => record.id === id) ?? null
  })

type Kind = 'number' | 'string' | 'time' | 'boolean' | 'numbers' | 'strings' | 'times' | 'any'

export interface ExpressionOptions {
  readonly use: 'read' | 'create' | 'update' | 'delete' | 'filter'
  /** Whether references are followed. True if absent. */
  readonly followsReferences?: boolean
  /** Whether `has` is used. True if absent. */
  readonly has?: boolean
}

/** As in `expression-check.ts`. */
const MAX_FILTER_REFERENCES_COUNT = 10

interface Path {
  readonly kind: Kind
  readonly text: string
}

const kindOf = (field: FieldSchema): Kind | 'object' => {
  const type = typeof field.type === 'string' ? field.type : field.type[0]
  if (type === 'array') return `${kindOf(field.items ?? { type: 'string' })}s` as Kind
  if (type === 'integer') return 'number'
  return type === 'string' && field.format === 'date-time' ? 'time' : type
}

const pathsInto = (prefix: string, fields: Readonly<Record<string, FieldSchema>>): readonly Path[] =>
  Object.entries(fields).flatMap(([name, field]): readonly Path[] => {
    const kind = kindOf(field)
    const text = `${prefix}${name}`
    if (kind !== 'object') return [{ kind, text }]
    if (field.properties !== undefined) return pathsInto(`${text}.`, field.properties)
    return ['city', 'floor', 'constructor'].map((member) => ({ kind: 'any' as const, text: `${text}.${member}` }))
  })

const EVERY_RECORD: Readonly<Record<string, FieldSchema>> = {
  id: { type: 'integer' },
  owner_id: { type: 'integer' },
  version: { type: 'integer' },
  created_at: { type: 'string', format: 'date-time' },
  updated_at: { type: 'string', format: 'date-time' },
}

const AUTH_PATHS: readonly Path[] = [
  { kind: 'number', text: 'auth.id' },
  { kind: 'string', text: 'auth.email' },
  { kind: 'string', text: 'auth.role' },
  { kind: 'boolean', text: 'auth.email_verified' },
]

const pathsOf = (collection: Collection, { use, followsReferences = true }: ExpressionOptions): readonly Path[] => {
  const prefixes = use === 'filter' ? [''] : use === 'update' ? ['record.', 'next.'] : ['record.']
  const inRecords = prefixes.flatMap((prefix) => [
    ...pathsInto(prefix, { ...EVERY_RECORD, ...collection.fields }),
    ...(followsReferences && collection.fields.list !== undefined
      ? [
          ...pathsInto(`${prefix}list.`, { ...EVERY_RECORD, ...LISTS.fields }),
          { kind: 'string' as const, text: `${prefix}list.owner.name` },
        ]
      : []),
  ])
  return use === 'filter' ? inRecords : [...inRecords, ...AUTH_PATHS]
}

const literals = (kind: Kind): fc.Arbitrary<string> => {
  if (kind === 'number') return fc.constantFrom(...NUMBERS).map(String)
  if (kind === 'string') return fc.constantFrom(...STRINGS).map((text) => JSON.stringify(text))
  if (kind === 'time') return fc.constantFrom('now', ...TIMES.map((time) => `timestamp("${time}")`))
  if (kind === 'boolean') return fc.constantFrom('true', 'false')
  const element = literals(kind === 'numbers' ? 'number' : kind === 'strings' ? 'string' : 'time')
  return fc.array(element, { maxLength: 3 }).map((elements) => `[${elements.join(', ')}]`)
}

const SCALARS = ['number', 'string', 'time'] as const
const OPERATORS = ['==', '!=', '<', '<=', '>', '>='] as const
const LISTS_OF = { number: 'numbers', string: 'strings', time: 'times' } as const

/** Well-typed conditions on the records of a collection, in CEL. */
export const conditionsOf = (collection: Collection, options: ExpressionOptions): fc.Arbitrary<string> => {
  const conditionsWith = (paths: readonly Path[], depth: number): fc.Arbitrary<string> => {
    const known = (kind: Kind): fc.Arbitrary<string> => {
      const found = paths.filter((path) => path.kind === kind).map(({ text }) => text)
      return found.length === 0
        ? literals(kind)
        : fc.oneof({ arbitrary: fc.constantFrom(...found), weight: 3 }, { arbitrary: literals(kind), weight: 1 })
    }
    const term = (kind: 'number' | 'string' | 'time'): fc.Arbitrary<string> => {
      if (kind === 'number') {
        const sizes = fc.oneof(known('string'), known('strings')).map((text) => `size(${text})`)
        return fc.oneof({ arbitrary: known('number'), weight: 4 }, { arbitrary: sizes, weight: 1 })
      }
      if (kind === 'string') return known('string')
      const moved = fc
        .tuple(known('time'), fc.constantFrom('+', '-'), fc.constantFrom(...DURATIONS))
        .map(([time, sign, duration]) => `(${time} ${sign} duration("${duration}"))`)
      return fc.oneof({ arbitrary: known('time'), weight: 4 }, { arbitrary: moved, weight: 1 })
    }
    const compared = (kind: 'number' | 'string' | 'time') =>
      fc.tuple(term(kind), fc.constantFrom(...OPERATORS), term(kind)).map((parts) => parts.join(' '))
    const simple: fc.Arbitrary<string>[] = [
      ...SCALARS.map(compared),
      ...SCALARS.map((kind) => fc.tuple(term(kind), known(LISTS_OF[kind])).map(([one, list]) => `${one} in ${list}`)),
      known('boolean'),
      fc
        .tuple(term('string'), fc.constantFrom('startsWith', 'endsWith', 'contains'), term('string'))
        .map(([text, method, part]) => `${text}.${method}(${part})`),
    ]
    const texts = paths.map(({ text }) => text)
    if (texts.length > 0) simple.push(fc.constantFrom(...texts).map((text) => `${text} != null`))
    const members = texts.filter((text) => text.includes('.'))
    if (options.has !== false && members.length > 0)
      simple.push(fc.constantFrom(...members).map((text) => `has(${text})`))
    const open = paths.filter(({ kind }) => kind === 'any').map(({ text }) => text)
    if (open.length > 0) {
      simple.push(
        fc
          .tuple(fc.constantFrom(...open), fc.oneof(term('number'), term('string')))
          .map(([one, other]) => `${one} == ${other}`),
      )
    }
    if (options.use !== 'filter') simple.push(fc.constantFrom('auth == null', 'auth != null'))
    if (depth === 0) return fc.oneof(...simple)
    const inner = conditionsWith(paths, depth - 1)
    const exists = fc.constantFrom(...SCALARS).chain((kind) => {
      const each: Path = { kind, text: `x${depth}` }
      return fc
        .tuple(known(LISTS_OF[kind]), conditionsWith([...paths, each, each, each], depth - 1))
        .map(([list, test]) => `${list}.exists(x${depth}, ${test})`)
    })
    return fc.oneof(
      ...simple,
      exists,
      fc.tuple(inner, inner).map(([one, other]) => `(${one} && ${other})`),
      fc.tuple(inner, inner).map(([one, other]) => `(${one} || ${other})`),
      inner.map((test) => `!(${test})`),
      fc.tuple(inner, inner, inner).map(([condition, yes, no]) => `(${condition} ? ${yes} : ${no})`),
    )
  }
  const conditions = conditionsWith(pathsOf(collection, options), 2)
  if (options.use !== 'filter') return conditions
  return conditions.filter((text) => (text.match(/list\.|owner\./g) ?? []).length <= MAX_FILTER_REFERENCES_COUNT)
}
