import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { toTimestamp } from '../../../src/adapters/http/timestamps.ts'

const SLOTS_COUNT = 1_024

test('any instant is formatted as by toISOString, in any order and repetition', () => {
  const latest = 8.64e15 - SLOTS_COUNT
  const instants = fc.oneof(fc.integer({ min: -1e13, max: 1e13 }), fc.integer({ min: -8.64e15, max: latest }))
  fc.assert(
    fc.property(instants, (instant) => {
      for (const asked of [instant, instant, instant + SLOTS_COUNT, instant]) {
        expect(toTimestamp(asked)).toBe(new Date(asked).toISOString())
      }
    }),
    { numRuns: 2_000 },
  )
})

test('an invalid date throws, also when repeated', () => {
  const none = 8.64e15 + SLOTS_COUNT * 86_400_000
  toTimestamp(SLOTS_COUNT)
  for (const _ of [1, 2]) expect(() => toTimestamp(none)).toThrow(RangeError)
})
