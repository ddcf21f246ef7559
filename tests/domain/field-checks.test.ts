import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { isWithin, jsonBytes } from '../../src/domain/field-checks.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'

const members = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue())

test('an object is within its size as JSON and not within less', () => {
  fc.assert(
    fc.property(members, (given) => {
      const value: JsonObject = JSON.parse(JSON.stringify(given))
      const bytes = jsonBytes(value)
      expect(isWithin(value, bytes)).toBe(true)
      expect(isWithin(value, bytes - 1)).toBe(false)
    }),
  )
})
