import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  afterKeys,
  compareBytes,
  keyOf,
  prefixRangeOf,
  rangeOf,
  type Scalar,
  typeRangeOf,
} from '../../../src/adapters/sql/record-keys.ts'
import { entryKey, parseEntryKey } from '../../../src/adapters/sql/record-source.ts'
import { compareText } from '../../../src/domain/expression-values.ts'

const text = fc
  .string({ unit: fc.oneof(fc.constantFrom('\0', '\u0001', 'a', 'b', '\uffff', '😀'), fc.string({ maxLength: 1 })) })
  .filter((each) => each.isWellFormed())
const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1, -1),
)
const scalar: fc.Arbitrary<Scalar> = fc.oneof(fc.constant(null), fc.boolean(), number, text)
const scalars = fc.array(scalar, { minLength: 1, maxLength: 3 })

const RANKS = ['object', 'boolean', 'number', 'string']

const compareScalars = (one: Scalar, other: Scalar): number => {
  if (typeof one !== typeof other) return RANKS.indexOf(typeof one) - RANKS.indexOf(typeof other)
  if (typeof one === 'string' && typeof other === 'string') return compareText(one, other)
  return Number(one) - Number(other)
}

const isWithin = (key: Uint8Array, { low, high }: { readonly low: Uint8Array; readonly high: Uint8Array }) =>
  compareBytes(low, key) <= 0 && compareBytes(key, high) < 0

test('keys compare like their values, one after the other', () => {
  const pair = scalars.chain((one) =>
    fc.tuple(fc.constant(one), fc.tuple(...one.map((each) => fc.oneof(fc.constant(each), scalar)))),
  )
  fc.assert(
    fc.property(pair, ([one, other]) => {
      const [order = 0] = one.map((each, n) => compareScalars(each, other[n] ?? null)).filter((each) => each !== 0)
      expect(Math.sign(compareBytes(keyOf(one), keyOf(other)))).toBe(Math.sign(order))
    }),
    { numRuns: 2_000 },
  )
})

test('the range of a prefix has exactly the keys that begin with its values', () => {
  fc.assert(
    fc.property(scalars, scalars, fc.boolean(), (prefix, values, begins) => {
      const all = begins ? [...prefix, ...values] : values
      const expected = prefix.every((each, n) => n < all.length && compareScalars(each, all[n] ?? null) === 0)
      expect(isWithin(keyOf(all), rangeOf(prefix))).toBe(expected)
      expect(compareBytes(keyOf(all), afterKeys(prefix)) >= 0 && expected).toBe(false)
    }),
    { numRuns: 2_000 },
  )
})

test('the range of a beginning has exactly the texts that begin so, and that of a type its values', () => {
  fc.assert(
    fc.property(scalars, scalar, text, fc.boolean(), (prefix, value, beginning, begins) => {
      const last = begins && typeof value === 'string' ? `${beginning}${value}` : value
      const key = keyOf([...prefix, last])
      expect(isWithin(key, prefixRangeOf(prefix, beginning))).toBe(
        typeof last === 'string' && last.startsWith(beginning),
      )
      expect(isWithin(key, typeRangeOf(prefix, 'number'))).toBe(typeof last === 'number')
      expect(isWithin(key, typeRangeOf(prefix, 'string'))).toBe(typeof last === 'string')
    }),
    { numRuns: 2_000 },
  )
})

test('the position of an entry is read back from its text, and any other text is refused', () => {
  fc.assert(
    fc.property(scalars, fc.nat(Number.MAX_SAFE_INTEGER), (values, createdAt) => {
      expect(parseEntryKey(entryKey(keyOf(values), createdAt))).toEqual({ key: keyOf(values), createdAt })
    }),
  )
  for (const invalid of ['', 'zz', 'abc', 7, 'f'.repeat(16), `x${'0'.repeat(16)}`]) {
    expect(parseEntryKey(invalid)).toBeNull()
  }
})
