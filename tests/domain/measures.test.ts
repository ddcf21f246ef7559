import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseDuration, parseRate, parseSize } from '../../src/domain/measures.ts'

const durations = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizes = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 }

const CENTURY_MS = 36_500 * durations.d

test('a duration is its number times its unit, and no longer than a hundred years', () => {
  const unit = fc.constantFrom(...(Object.keys(durations) as (keyof typeof durations)[]))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99_999_999 }), unit, (count, name) => {
      const value = count * durations[name]
      expect(parseDuration(`${count}${name}`)).toBe(value <= CENTURY_MS ? value : null)
    }),
  )
  expect(parseDuration('36500d')).toBe(CENTURY_MS)
  expect(parseDuration('36501d')).toBeNull()
})

test('a size is its number times its unit', () => {
  const unit = fc.constantFrom(...(Object.keys(sizes) as (keyof typeof sizes)[]))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99_999 }), unit, (count, name) => {
      expect(parseSize(`${count}${name}`)).toBe(count * sizes[name])
    }),
  )
})

test('any text is a positive safe integer or nothing', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const value of [parseDuration(text), parseSize(text)]) {
        expect(value === null || (Number.isSafeInteger(value) && value > 0)).toBe(true)
      }
    }),
  )
})

test('a rate is a number per duration, or off', () => {
  expect(parseRate('600/1m')).toEqual({ limit: 600, windowMs: 60_000 })
  expect(parseRate('off')).toBe('off')
  for (const wrong of ['600', '0/1m', '5/0m', '5/1', '/1m', '5/1m/2', 'OFF', '-1/1m'])
    expect(parseRate(wrong)).toBeNull()
})
