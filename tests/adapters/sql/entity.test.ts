import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { entity, type Row, type Stored } from '../../../src/adapters/sql/entity.ts'
import { insertInto, postgresPlaceholder, updateById, upsertInto } from '../../../src/adapters/sql/statements.ts'

interface Thing {
  readonly id: number
  readonly ownerId: number
  readonly share: number
  readonly sha256: string
  readonly state: 'new' | 'old'
  readonly isActive: boolean
  readonly hash: Uint8Array
  readonly note: string | null
  readonly endedAt: number | null
  readonly isKnown: boolean | null
  readonly payload: unknown
}

type NewThing = Omit<Thing, 'id'>

const things = entity<Thing, NewThing>(
  'things',
  {
    id: 'assigned',
    ownerId: 'integer',
    share: 'number',
    sha256: 'text',
    state: 'text',
    isActive: 'boolean',
    hash: 'bytes',
    note: 'text',
    endedAt: 'integer',
    isKnown: 'boolean',
    payload: 'json',
  },
  { otherColumns: { lease_until: 'integer' } },
)

const COLUMNS = ['owner_id', 'share', 'sha256', 'state', 'is_active', 'hash', 'note', 'ended_at', 'is_known', 'payload']

const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null })
const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'))

const newThing: fc.Arbitrary<NewThing> = fc.record({
  ownerId: fc.maxSafeInteger(),
  share: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  sha256: text,
  state: fc.constantFrom('new', 'old'),
  isActive: fc.boolean(),
  hash: fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
  note: orNull(text),
  endedAt: orNull(fc.maxSafeInteger()),
  isKnown: orNull(fc.boolean()),
  payload: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value))),
})

const stored = (thing: NewThing): Record<string, Stored> => {
  const values = things.valuesOf(thing)
  return Object.fromEntries(things.inserted.map((column, n) => [column, values[n] ?? null]))
}

/** How Bun's client for Postgres returns what was stored: `bigint` as text, bytes as a Buffer. */
const fromPostgres = (row: Record<string, Stored>): Row =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      if (value instanceof Uint8Array) return [column, Buffer.from(value)]
      return [column, things.columns[column] === 'integer' && value !== null ? String(value) : value]
    }),
  )

test('a definition names the columns in snake case, and those that an INSERT sets', () => {
  expect(Object.keys(things.columns)).toEqual(['id', ...COLUMNS, 'lease_until'])
  expect([things.columns.id, things.columns.payload, things.columns.is_active]).toEqual(['integer', 'text', 'boolean'])
  expect(things.inserted).toEqual(COLUMNS)
  expect(things.key).toEqual(['id'])
})

test('a definition names exactly the properties of its type, each with a type that fits', () => {
  // @ts-expect-error a property is missing
  entity<{ readonly one: string; readonly two: string }>('pairs', { one: 'text' })
  // @ts-expect-error a property is unknown
  entity<{ readonly one: string }>('pairs', { one: 'text', two: 'text' })
  // @ts-expect-error a number is not text
  entity<{ readonly one: number }>('pairs', { one: 'text' })
  // @ts-expect-error an object is JSON
  entity<{ readonly one: readonly string[] }>('pairs', { one: 'text' })
  // @ts-expect-error a new value has it, so the engine does not assign it
  entity<{ readonly id: number }>('pairs', { id: 'assigned' })
  expect.assertions(0)
})

test('values come back from SQLite as they were stored', () => {
  const database = new Database(':memory:', { strict: true })
  database.run(`CREATE TABLE things (id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, share REAL NOT NULL,
    sha256 TEXT NOT NULL, state TEXT NOT NULL, is_active INTEGER NOT NULL, hash BLOB NOT NULL, note TEXT,
    ended_at INTEGER, is_known INTEGER, payload TEXT, lease_until INTEGER) STRICT`)
  const insert = database.prepare<Row, Stored[]>(`${insertInto('things', things.inserted)} RETURNING *`)
  const update = database.prepare<Row, Stored[]>(`${updateById('things', things.inserted)} RETURNING *`)
  const read = (row: Row | null) => row && things.fromRow(row)
  fc.assert(
    fc.property(newThing, newThing, (first, second) => {
      const inserted = read(insert.get(...things.valuesOf(first)))
      expect(inserted).toEqual({ id: expect.any(Number), ...first })
      const id = inserted?.id ?? 0
      expect(read(update.get(...things.valuesOf(second), id))).toEqual({ id, ...second })
    }),
  )
  database.close()
})

test('values come back as they were stored from rows as Postgres returns them', () => {
  fc.assert(
    fc.property(fc.nat(), newThing, (id, thing) => {
      const found = things.fromRow({ id: String(id), ...fromPostgres(stored(thing)) })
      expect(found).toEqual({ id, ...thing })
      expect(Buffer.isBuffer(found.hash)).toBe(false)
    }),
  )
})

test('columns that the type lacks are ignored', () => {
  const pairs = entity<{ readonly id: number }>('pairs', { id: 'integer' })
  expect(pairs.fromRow({ id: '7', other: 'x' })).toEqual({ id: 7 })
})

test('an upsert sets every column except the key', () => {
  interface Limit {
    readonly userId: number
    readonly kind: string
    readonly usedAt: number
    readonly times: readonly number[]
  }
  const limits = entity<Limit>(
    'limits',
    { userId: 'integer', kind: 'text', usedAt: 'integer', times: 'json' },
    { key: ['user_id', 'kind'] },
  )
  expect(upsertInto(limits, postgresPlaceholder)).toBe(
    'INSERT INTO limits (user_id, kind, used_at, times) VALUES ($1, $2, $3, $4) ' +
      'ON CONFLICT (user_id, kind) DO UPDATE SET used_at = excluded.used_at, times = excluded.times',
  )
})
