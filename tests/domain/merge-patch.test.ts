import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type JsonObject, mergePatch } from '../../src/domain/merge-patch.ts'

// RFC 7396, appendix A, as far as both sides are objects.
test.each<[JsonObject, JsonObject, JsonObject]>([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('%j and %j make %j', (target, patch, expected) => {
  expect(mergePatch(target, patch)).toEqual(expected)
})

const json = fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<JsonObject>

const withoutNull = (value: unknown): boolean =>
  value !== null &&
  (typeof value !== 'object' || Array.isArray(value) || Object.values(value as object).every(withoutNull))

test('an empty patch changes nothing', () => {
  fc.assert(fc.property(json, (target) => expect(mergePatch(target, {})).toEqual(target)))
})

test('applied twice, a patch is as if applied once', () => {
  fc.assert(
    fc.property(json, json, (target, patch) => {
      const once = mergePatch(target, patch)
      expect(mergePatch(once, patch)).toEqual(once)
    }),
  )
})

test('the members of a patch without null are in the result', () => {
  fc.assert(
    fc.property(json.filter(withoutNull), (patch) => {
      expect(mergePatch({}, patch)).toEqual(patch)
    }),
  )
})

test('neither side is changed, and no prototype is touched', () => {
  const target = { a: { b: 1 } }
  const patch = JSON.parse('{"a":{"c":2},"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')
  const merged = mergePatch(target, patch)
  expect(target).toEqual({ a: { b: 1 } })
  expect(Object.keys(merged).sort()).toEqual(['__proto__', 'a', 'constructor'])
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})
