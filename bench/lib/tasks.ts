import { createChance, VOCABULARY_COUNT, wordOf } from './words.ts'

const MEMBERS = 'auth.id == record.list.owner_id || auth.id in record.list.members'

/** What tasks belong to: whoever owns a list, or is a member of it, may do with its tasks what they like. */
export const LISTS = {
  name: 'lists',
  schema: {
    type: 'object',
    required: ['title'],
    properties: {
      title: { type: 'string', maxLength: 200 },
      members: { type: 'array', items: { type: 'integer' }, default: [], 'x-ref': 'users', 'x-on-delete': 'clear' },
    },
  },
  rules: {
    read: 'auth.id == record.owner_id || auth.id in record.members',
    create: 'auth != null',
    update: 'auth.id == record.owner_id',
    delete: 'auth.id == record.owner_id',
  },
} as const

/** A collection with two indexes, and a rule over a reference. */
export const TASKS = {
  name: 'tasks',
  schema: {
    type: 'object',
    required: ['title', 'list'],
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 200 },
      notes: { type: ['string', 'null'], maxLength: 10_000 },
      done: { type: 'boolean', default: false },
      due_at: { type: ['string', 'null'], format: 'date-time' },
      list: { type: 'integer', 'x-ref': 'lists', 'x-on-delete': 'cascade' },
    },
  },
  indexes: [{ fields: ['list', 'title'], unique: true }, { fields: ['due_at'] }],
  search: ['title', 'notes'],
  rules: { read: MEMBERS, create: MEMBERS, update: `(${MEMBERS}) && next.list == record.list`, delete: MEMBERS },
} as const

/** The same with one index more. */
export const TASKS_WITH_ANOTHER_INDEX = { ...TASKS, indexes: [...TASKS.indexes, { fields: ['list', 'due_at'] }] }

const TITLE_WORDS_COUNT = 3
const NOTES_WORDS_COUNT = 7
const FIRST_DUE_MS = Date.UTC(2026, 0, 1)
const DUE_WITHIN_MINUTES = 500_000
const MINUTE_MS = 60_000

/** So many tasks, one after another in each of the lists, as lines to import; the same in every run. */
export function* taskLines({ lists, count, seed }: TasksOptions): Generator<string> {
  const chance = createChance(seed)
  const words = (many: number) => Array.from({ length: many }, () => wordOf(chance(VOCABULARY_COUNT))).join(' ')
  for (let n = 0; n < count; n++) {
    const task = {
      // A list has each title once.
      title: `${words(TITLE_WORDS_COUNT)} ${seed}-${n}`,
      notes: words(NOTES_WORDS_COUNT),
      done: chance(2) === 0,
      due_at: new Date(FIRST_DUE_MS + chance(DUE_WITHIN_MINUTES) * MINUTE_MS).toISOString(),
      list: lists[n % lists.length],
    }
    yield `${JSON.stringify(task)}\n`
  }
}

export interface TasksOptions {
  /** Their ids. */
  readonly lists: readonly number[]
  readonly count: number
  /** Tasks of another seed have other titles. */
  readonly seed: number
}
