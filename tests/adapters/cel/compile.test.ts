import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  MAX_EXPRESSION_DEPTH,
  MAX_EXPRESSION_LENGTH,
  MAX_LIST_LITERAL_COUNT,
} from '../../../src/domain/expression-syntax.ts'
import { faultsOf } from '../../support/tasks.ts'

test.each([
  'auth.id == record.list.owner_id || auth.id in record.list.members',
  '(auth.id == record.list.owner_id || auth.id in record.list.members) && next.list == record.list',
  'auth != null',
  'true',
  'record.done',
  'record.data.flag',
  'record.note == null || record.note.size() > 3',
  'record.parent.parent.done',
  'record.title in ["a", \'b\', r"\\d", """c"""]',
  'record.count in [] || [].exists(x, x == 1)',
  'record.price > -1.5e3 && record.count != 0x1F',
  'record.created_at > now - duration("24h") && duration("1h") + record.updated_at < now',
  'record.tags.exists(tag, tag.startsWith("a")) && record.watchers.exists(id, id == auth.id)',
  'has(record.due_at) ? record.due_at > now : has(record.place.city)',
  'timestamp(record.title) == record.due_at && duration(record.note) == duration("1m")',
  '(record.done ? record.list : next.list).title == "a"',
  'record.data == next.data && record.tags == next.tags',
  'record.due_at in [now, timestamp("2026-01-31T12:00:00Z")] && now in record.days',
  'record.title == "a" // a comment\n && record.done',
])('%s is a rule', (text) => {
  expect(faultsOf(text)).toEqual([])
})

test.each([
  '!done && due_at < now + duration("24h") && title.startsWith("A")',
  'list.title == "Home" && has(due_at) && owner_id == 3',
  'tags.exists(title, title == "a")',
])('%s is a filter: bare names are fields', (text) => {
  expect(faultsOf(text, 'filter')).toEqual([])
})

test.each<[string, number, string]>([
  ['record.titel == "a"', 7, 'a record of tasks has no member of this name'],
  ['record.place.town == "a"', 13, 'an object has no member of this name'],
  ['record.list.members.name == "a"', 20, 'a list has no members: test its elements with exists'],
  ['record.title.x == "a"', 13, 'a string has no members'],
  ['record.list.owner.email == "a"', 18, 'a user has no member of this name'],
  ['record.photo.sha256 == "a"', 13, 'a file has no member of this name'],
  ['record.parent.parent.parent.done', 28, 'an expression follows at most 2 references in a row'],
  ['record.constructor == null', 7, 'a record of tasks has no member of this name'],
  ['auth.name == "a"', 5, 'auth has no member of this name'],
  ['user.id == 1', 0, 'there is no variable of this name, only auth, record, next and now'],
  ['record == next', 0, 'a record of tasks cannot be compared with a record of tasks'],
  ['record', 0, 'a record of tasks is not a value: name one of its members'],
  ['has(record)', 4, 'has takes a member, as has(record.field)'],
  ['record.title', 7, 'an expression yields a boolean, not a string'],
  ['!record.title', 0, 'expected a boolean, not a string'],
  ['record.title && true', 0, 'expected a boolean, not a string'],
  ['record.title == 1', 0, 'a string cannot be compared with a number'],
  ['record.title in ["a", 1]', 22, 'a string cannot be compared with a number'],
  ['[1, "a"].exists(x, x == 1)', 4, 'the elements of a list have one type, here a number'],
  ['[[1]] == [[1]]', 1, 'an element of a list is a scalar, not a list'],
  ['record.title in record.title', 0, 'what follows in must be a list, not a string'],
  ['record.done < true', 0, 'a boolean has no order'],
  ['record.count < null', 0, 'null has no order'],
  ['record.rows.exists(x, true)', 0, 'exists tests the elements of a list of scalars, not an object'],
  ['record.title.exists(x, true)', 0, 'exists tests the elements of a list, not of a string'],
  ['record.tags.exists(x, x)', 22, 'expected a boolean, not a string'],
  ['record.tags.exists(1, true)', 19, 'the first argument must be a name, as in list.exists(each, each == 1)'],
  ['record.watchers.exists(x, x.name == "a")', 28, 'a number has no members'],
  ['record.title.contains(1)', 0, 'contains searches a string for a string, not a number'],
  [
    'record.title.matches("a")',
    0,
    'there is no method of this name, only startsWith, endsWith, contains, exists, size',
  ],
  ['int(record.title) == 1', 0, 'there is no function of this name, only has, size, timestamp, duration'],
  ['size(record.count) == 1', 0, 'size counts the characters of a string or the elements of a list, not a number'],
  ['size() == 1', 0, 'size takes one argument'],
  ['true ? 1 : "a"', 0, 'both results must have the same type: a number cannot be compared with a string'],
])('%s is refused at %i: %s', (text, position, detail) => {
  expect(faultsOf(text)).toContainEqual({ position, detail })
})

test.each<[string, string]>([
  ['record.due_at < "2026-01-31"', 'timestamp("2026-01-31T12:00:00Z")'],
  ['record.due_at == record.title', 'timestamp("2026-01-31T12:00:00Z")'],
  ['record.due_at in ["2026-01-31"]', 'timestamp("2026-01-31T12:00:00Z")'],
  ['record.data.at > now', 'timestamp("2026-01-31T12:00:00Z")'],
  ['"1h" < duration("1m")', 'duration("24h")'],
  ['now - record.created_at < duration("1h")', 'now - duration("24h")'],
])('%s is refused with a hint to write %s', (text, hint) => {
  expect(
    faultsOf(text)
      .map(({ detail }) => detail)
      .join(),
  ).toContain(hint)
})

test.each([
  ['timestamp("yesterday") < now', 10],
  ['timestamp("2026-02-30T00:00:00Z") < now', 10],
  ['now - duration("1d") < now', 15],
  ['now - duration("1ns") < now', 15],
])('%s is refused when it is saved', (text, position) => {
  expect(faultsOf(text)).toMatchObject([{ position }])
})

test.each([
  ['1 + 1 == 2'],
  ['record.title + "a" == "a"'],
  ['record.count * 2 == 2'],
  ['record.count / 2 == 2'],
  ['record.count % 2 == 0'],
  ['-record.count == 1'],
  ['record.tags[0] == "a"'],
  ['{"a": 1}.a == 1'],
  ['1u == 1'],
  ['b"a" == record.title'],
  ['9007199254740993 == record.count'],
  ['99999999999999999999999999999999999999999 == record.count'],
  ['record.tags.all(x, x == "a")'],
  ['record.tags.map(x, x) == []'],
  ['dyn(1) == 1'],
])('%s is valid CEL that is not supported', (text) => {
  expect(faultsOf(text)).toHaveLength(1)
})

test('every fault is reported at once, in the order of the text', () => {
  expect(faultsOf('record.a == 1 && (b || record.title == 1) && matches(record.c) && record.tags[d]')).toMatchObject([
    { position: 7 },
    { position: 18 },
    { position: 23 },
    { position: 45 },
    { position: 60 },
    { position: 66 },
    { position: 78 },
  ])
})

test('positions count characters', () => {
  expect(faultsOf('"😀é" == "a" && x')).toMatchObject([{ position: 15 }])
  expect(faultsOf('"😀é" == ?')).toMatchObject([{ position: 8 }])
})

test('a filter follows a few references, because each may need a rule', () => {
  const following = (count: number) => Array.from({ length: count }, () => 'list.rank == 1').join(' || ')
  expect(faultsOf(following(10), 'filter')).toEqual([])
  expect(faultsOf(following(11), 'filter')).toEqual([{ position: 0, detail: 'a filter follows at most 10 references' }])
})

test('next exists only in the update rule', () => {
  expect(faultsOf('next.done', 'update')).toEqual([])
  for (const use of ['read', 'create', 'delete'] as const) {
    expect(faultsOf('next.done', use)).toEqual([{ position: 0, detail: 'next exists only in the update rule' }])
  }
})

test.each(['auth.id == 1', 'record.done', 'next.done', 'nothing'])('a filter has no %s', (text) => {
  expect(faultsOf(text, 'filter')).toMatchObject([{ position: 0 }])
})

test.each<[string, number, string]>([
  ['', 0, 'the expression is empty'],
  ['  ', 2, 'the expression is empty'],
  ['record.', 7, 'expected a name'],
  ['true &&', 7, 'the expression ends too early'],
  ['(true', 5, 'expected )'],
  ['true)', 4, 'this is not expected here'],
  ['true true', 5, 'this is not expected here'],
  ['record.count = 1', 13, 'to compare, write =='],
  ['true & true', 5, 'write && for and'],
  ['true | true', 5, 'write || for or'],
  ['"secret', 0, 'this string has no end'],
  ['"a\nb" == "a"', 2, 'a string ends on the line where it begins'],
  ['"\\q" == "q"', 1, 'this is no escape sequence that CEL knows'],
  ['1e == 1', 2, 'an exponent has digits'],
  ['1e999 == 1', 0, 'this number is too large'],
  ['package == 1', 0, 'this name is a reserved word of CEL'],
  ['record.title == "\ud800"', 0, 'an expression is valid Unicode'],
])('%j does not parse: at %i, %s', (text, position, detail) => {
  expect(faultsOf(text)).toEqual([{ position, detail }])
})

const repeated = (text: string) => text.repeat(Math.floor(MAX_EXPRESSION_LENGTH / text.length))

test.each([
  ['!', repeated('!')],
  ['-', repeated('-')],
  ['(', repeated('(')],
  ['[', repeated('[')],
  ['{', repeated('{')],
  ['a.', repeated('a.')],
  ['a(', repeated('a(')],
  ['a.a(', repeated('a.a(')],
  ['[].exists(a,', repeated('[].exists(a,')],
  ['true?', repeated('true?')],
  ['true||', `${repeated('true||').slice(0, -6)}true`],
  ['1,', `[${repeated('1,').slice(0, -2)}] == []`],
  ['a comment', repeated('//')],
  ['a string', `"${repeated('\\\\').slice(0, -4)}`],
  ['a number', repeated('9')],
])('a text full of %s is refused', (_, text) => {
  expect(faultsOf(text).length).toBeGreaterThan(0)
})

test('limits refuse what exceeds them, and accept what reaches them', () => {
  const nested = (depth: number) => `${'('.repeat(depth - 1)}true${')'.repeat(depth - 1)}`
  const list = (count: number) => `record.count in [${Array.from({ length: count }, () => '1').join()}]`
  const long = (characters: number) => `record.title == "${'é'.repeat(characters - 18)}"`
  expect(
    [nested(MAX_EXPRESSION_DEPTH), list(MAX_LIST_LITERAL_COUNT), long(MAX_EXPRESSION_LENGTH)].map((text) =>
      faultsOf(text),
    ),
  ).toEqual([[], [], []])
  expect(faultsOf(nested(MAX_EXPRESSION_DEPTH + 1))).toMatchObject([
    { detail: 'an expression is nested at most 50 deep' },
  ])
  expect(faultsOf(list(MAX_LIST_LITERAL_COUNT + 1))).toMatchObject([{ detail: 'a list has at most 100 elements' }])
  expect(faultsOf(long(MAX_EXPRESSION_LENGTH + 1))).toMatchObject([
    { detail: 'an expression has at most 4000 characters' },
  ])
})

test('a long chain of alternatives is not deep', () => {
  expect(faultsOf(Array.from({ length: 100 }, () => 'record.done').join(' || '))).toEqual([])
})

test('any text is accepted or refused with a place in it and one line of reason', () => {
  const words = fc.constantFrom(
    ...'record next auth now . ( ) [ ] { } , : ? ! - + * == < && || in 1 1.5 "a" \' title list due_at exists( has( size( x null true // \\ 😀'.split(
      ' ',
    ),
  )
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(words, { maxLength: 30 }).map((each) => each.join(' ')),
    fc.array(words, { maxLength: 30 }).map((each) => each.join('')),
  )
  fc.assert(
    fc.property(texts, fc.constantFrom('update', 'filter'), (text, use) => {
      for (const { position, detail } of faultsOf(text, use)) {
        expect(position).toBeLessThanOrEqual(Array.from(text).length)
        expect(detail).not.toContain('\n')
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a reason quotes nothing of the text', () => {
  for (const text of [
    '"s3cret',
    's3cret.id == 1',
    's3cret(1)',
    'record.s3cret',
    'record.title == timestamp("s3cret")',
    '"\\qs3cret"',
    's3cret s3cret',
    '[].exists("s3cret", true)',
  ]) {
    expect(JSON.stringify(faultsOf(text))).not.toContain('s3cret')
  }
})
