import { expect, test } from 'bun:test'
import { applyPatch } from '../../../src/adapters/json-patch/patch.ts'
import type { Json, JsonObject } from '../../../src/domain/merge-patch.ts'

// RFC 6902, appendix A, and its corner cases.
test.each<[Json, JsonObject[], Json]>([
  [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
  [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
  [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
  [{ foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
  [{ baz: 'qux' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo' }],
  [
    { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
    [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
    { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
  ],
  [
    { foo: ['all', 'grass', 'cows', 'eat'] },
    [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
    { foo: ['all', 'cows', 'eat', 'grass'] },
  ],
  [{ a: [1, 2] }, [{ op: 'test', path: '/a/1', value: 2 }], { a: [1, 2] }],
  [
    { foo: 'bar' },
    [{ op: 'add', path: '/child', value: { grandchild: {} } }],
    { foo: 'bar', child: { grandchild: {} } },
  ],
  [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 1, more: 'ignored' }], { foo: 'bar', baz: 1 }],
  [{ '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
  [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc'] }], { foo: ['bar', ['abc']] }],
  [{ a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
  [{ a: null }, [{ op: 'copy', from: '/a', path: '/b' }], { a: null, b: null }],
  [{ a: 1 }, [], { a: 1 }],
])('%j by %j becomes %j', (document, patch, expected) => {
  expect(applyPatch(document, patch)).toEqual(expected)
})

test.each<[JsonObject[], string]>([
  [[{ op: 'remove', path: '/nope' }], 'Operation 0'],
  [
    [
      { op: 'add', path: '/x', value: 1 },
      { op: 'replace', path: '/nope', value: 1 },
    ],
    'Operation 1',
  ],
  [[{ op: 'add', path: '/nope/x', value: 1 }], 'Operation 0'],
  [[{ op: 'add', path: '/l/3', value: 1 }], 'Operation 0'],
  [[{ op: 'add', path: '/l/01', value: 1 }], 'Operation 0'],
  [[{ op: 'replace', path: '/l/length', value: 0 }], 'Operation 0'],
  [[{ op: 'copy', from: '/toString', path: '/x' }], 'Operation 0'],
  [[{ op: 'move', from: '/a', path: '/a/b' }], 'Operation 0'],
  [[{ op: 'test', path: '/a', value: { b: 2 } }], 'Operation 0'],
  [[{ op: 'add', path: '/x' }], 'Operation 0'],
  [[{ op: 'add', path: 'x', value: 1 }], 'Operation 0'],
  [[{ op: 'append', path: '/x', value: 1 }], 'Operation 0'],
  [[{ path: '/x', value: 1 }], 'Operation 0'],
  [[{ op: 'remove' }], 'Operation 0'],
  [[{ op: 'copy', from: 5, path: '/x' }], 'Operation 0'],
])('%j cannot be applied', (patch, message) => {
  expect(() => applyPatch({ a: { b: 1 }, l: [1, 2] }, patch)).toThrow(message)
})

test.each(['/l/02', '/l/0x2', '/l/+2', '/l/2.0', '/l/2e0', '/l/ 2', '/l/'])('%s is no index of an array', (path) => {
  const reason = 'Operation 0 cannot be applied: an array index must be digits without leading zeros'
  expect(() => applyPatch({ l: [1, 2] }, [{ op: 'add', path, value: 3 }])).toThrow(reason)
  expect(() => applyPatch({ l: [1, 2], a: 1 }, [{ op: 'move', from: '/a', path }])).toThrow(reason)
  expect(() => applyPatch({ l: [1, 2], a: 1 }, [{ op: 'copy', from: '/a', path }])).toThrow(reason)
  expect(() => applyPatch({ l: [1, 2] }, [{ op: 'copy', from: path, path: '/a' }])).toThrow(reason)
})

test.each<JsonObject>([
  { op: 'remove', path: '/secret' },
  { op: 'replace', path: '/secret', value: 1 },
  { op: 'test', path: '/secret', value: 1 },
  { op: 'test', path: '/a', value: 'secret' },
  { op: 'add', path: '/secret/x', value: 1 },
  { op: 'add', path: '/a/b/secret', value: 1 },
  { op: 'move', from: '/secret', path: '/x' },
  { op: 'move', from: '/l/0', path: '/l/2' },
  { op: 'copy', from: '/#secret', path: '/x' },
  { op: 'remove', path: 'secret' },
  { op: 'secret', path: '/a' },
])('the reason why %j cannot be applied does not repeat it', (operation) => {
  const attempt = () => applyPatch({ a: { b: 1 }, l: [1, 2] }, [operation])
  expect(attempt).toThrow(/^Operation 0 cannot be applied: [a-zA-Z0-9_, ]+$/)
  expect(attempt).not.toThrow('secret')
})

test('a patch applies to many documents, and changes neither them nor itself', () => {
  const document = { a: { b: 1 } }
  const patch = [
    { op: 'copy', from: '/a', path: '/c' },
    { op: 'replace', path: '/c/b', value: 2 },
    { op: 'add', path: '/d', value: { e: [] } },
    { op: 'add', path: '/d/e/-', value: 3 },
  ]
  const before = structuredClone([document, patch])
  const expected = { a: { b: 1 }, c: { b: 2 }, d: { e: [3] } }
  expect(applyPatch(document, patch)).toEqual(expected)
  expect(applyPatch(document, patch)).toEqual(expected)
  expect([document, patch]).toEqual(before)
})

test('no patch reaches a prototype', () => {
  const attempts: JsonObject[][] = [
    [{ op: 'add', path: '/__proto__/polluted', value: true }],
    [{ op: 'add', path: '/__proto__', value: { polluted: true } }],
    [{ op: 'copy', from: '/a', path: '/a/__proto__' }],
    [{ op: 'move', from: '/__proto__', path: '/x' }],
    [{ op: 'add', path: '/constructor/prototype/polluted', value: true }],
  ]
  for (const patch of attempts) expect(() => applyPatch({ a: {} }, patch)).toThrow('Operation 0')
  expect({}).not.toHaveProperty('polluted')
})

test('a patch cannot make a document grow without end', () => {
  const doubling = Array.from({ length: 40 }, (_, index) => ({ op: 'copy', from: '', path: `/x${index}` }))
  expect(() => applyPatch({ a: 'aaaaaaaaaa' }, doubling)).toThrow('too large in total')
  const many = Array.from({ length: 101 }, () => ({ op: 'add', path: '/a', value: 1 }))
  expect(() => applyPatch({}, many)).toThrow('at most 100 operations')
})
