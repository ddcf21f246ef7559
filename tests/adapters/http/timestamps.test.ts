import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { toTimestamp } from '../../../src/adapters/http/timestamps.ts'

test('any instant is written as toISOString writes it', () => {
  const instants = fc.oneof(fc.integer({ min: -1e13, max: 1e13 }), fc.integer({ min: -8.64e15, max: 8.64e15 }))
  fc.assert(
    fc.property(instants, (instant) => {
      expect(toTimestamp(instant)).toBe(new Date(instant).toISOString())
    }),
    { numRuns: 2_000 },
  )
})
