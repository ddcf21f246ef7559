import fc from 'fast-check'
import type { Collection, IndexDefinition } from '../../src/domain/collection.ts'
import type { AuthValue } from '../../src/domain/expression.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { NewRecord } from '../../src/domain/record.ts'
import { callers, collections, conditionsOf, fieldsOf, LISTS, NOW } from './expressions.ts'

/** Ids that exist, of users and of lists. Values of references go up to 3. */
export const EXISTING_COUNT = 2

/** Records of a random collection, and who asks for which of them. */
export interface Situation {
  readonly collection: Collection
  readonly lists: readonly JsonObject[]
  readonly drafts: readonly NewRecord[]
  readonly rule: string
  readonly filter: string | null
  readonly auth: AuthValue | null
  readonly text: string | null
  readonly ownerId: number | null
  readonly createdAfter: number | null
  readonly size: number
}

const draftsOf = (collection: Collection): fc.Arbitrary<NewRecord> =>
  fc
    .tuple(
      fieldsOf(collection),
      fc.option(fc.constantFrom(1, 2, 3)),
      fc.constantFrom(NOW - 1, NOW, NOW + 1),
      fc.constantFrom(NOW - 1, NOW, NOW + 1),
    )
    .map(([fields, ownerId, createdAt, updatedAt]) => ({
      ...Object.fromEntries(Object.keys(collection.fields).map((name) => [name, fields[name] ?? null])),
      ...{ ownerId, version: 1, createdAt, updatedAt },
    }))

const SCALARS = ['name', 'note', 'count', 'price', 'done', 'due_at', 'list'] as const
const TEXTS = ['name', 'note'] as const

const withIndexes = (collection: Collection): fc.Arbitrary<Collection> => {
  const has = (field: string) => collection.fields[field] !== undefined
  const scalars = SCALARS.filter(has)
  if (scalars.length === 0) return fc.constant(collection)
  const index = fc
    .uniqueArray(fc.constantFrom(...scalars), { minLength: 1, maxLength: 3 })
    .map((fields): IndexDefinition => ({ fields }))
  return fc
    .tuple(fc.uniqueArray(index, { maxLength: 4, selector: ({ fields }) => fields.join() }), fc.subarray([...TEXTS]))
    .map(([indexes, search]) => ({ ...collection, indexes, search: search.filter(has) }))
}

const PLANNED = {
  name: ['record.name == "a"', 'record.name.startsWith("a")', 'record.name in ["a", "B", "é"]', 'record.name < "b"'],
  note: ['record.note == null', '"ab" <= record.note', 'record.note > "a"'],
  count: ['record.count == 1', 'record.count > 0', 'record.count <= 2', 'record.count in [0, 3]', 'record.count < 1.5'],
  price: ['record.price == 1.5', '1 < record.price', 'record.price >= -1'],
  done: ['record.done', '!record.done', 'record.done == false'],
  due_at: ['record.due_at < now', 'record.due_at == timestamp("2026-01-31T12:00:00Z")', 'record.due_at == null'],
  list: [
    'record.list == 1',
    'record.list in [1, 2, 3]',
    'record.list.open',
    'record.list.owner == auth.id',
    'auth.id in record.list.members',
    'record.list.members.exists(x, x == 2)',
    'record.list.owner_id == 1',
    'record.list.rank > 0',
    'record.list.owner.name == "user-0"',
    '[1, 2].exists(x, x == 1 || record.list.open)',
  ],
} as const

const ALWAYS_PLANNED = [
  'record.owner_id == auth.id',
  'record.owner_id == null',
  'record.id > 0',
  'record.created_at <= now',
  'record.created_at == now',
] as const

/** Conditions that indexes can answer, at least in part, combined with each other. */
const plannedOf = (collection: Collection): fc.Arbitrary<string> => {
  const names = Object.keys(PLANNED).filter((name): name is keyof typeof PLANNED => name in collection.fields)
  const simple = fc.constantFrom(...names.flatMap((name): readonly string[] => PLANNED[name]), ...ALWAYS_PLANNED)
  return fc
    .array(fc.tuple(simple, fc.constantFrom(' && ', ' || ', ' && (')), { minLength: 1, maxLength: 5 })
    .map((parts) => {
      const open = parts.slice(0, -1).filter(([, operator]) => operator.endsWith('(')).length
      const text = parts.map(([part, operator], n) => `${part}${n === parts.length - 1 ? '' : operator}`).join('')
      return `${text}${')'.repeat(open)}`
    })
}

/** Collections of random fields and indexes, and lists of their records by random conditions. */
export const situations: fc.Arbitrary<Situation> = collections.chain(withIndexes).chain((collection) =>
  fc.record({
    collection: fc.constant(collection),
    lists: fc.array(fieldsOf(LISTS), { minLength: EXISTING_COUNT, maxLength: EXISTING_COUNT }),
    drafts: fc.array(draftsOf(collection), { maxLength: 12 }),
    rule: fc.oneof(conditionsOf(collection, { use: 'read' }), plannedOf(collection)),
    filter: fc.option(conditionsOf(collection, { use: 'filter' })),
    auth: callers,
    text: fc.option(fc.constantFrom('a', 'ab', 'abc b'), { freq: 3 }),
    ownerId: fc.option(fc.constantFrom(1, 2), { freq: 3 }),
    createdAfter: fc.option(fc.constantFrom(NOW - 1, NOW), { freq: 3 }),
    size: fc.integer({ min: 1, max: 5 }),
  }),
)
