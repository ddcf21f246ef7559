import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { compareBy } from '../../client/src/order.ts'
import { keyOf, scalarOf } from '../../src/adapters/sql/record-keys.ts'
import type { FieldSchema } from '../../src/domain/collection.ts'

const CREATED_AT = '2026-01-01T00:00:00.000Z'

const times = fc
  .date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true })
  .chain((date) => {
    const text = date.toISOString()
    return fc.constantFrom(text, text.replace(/\.\d+Z$/, 'Z'), text.replace('Z', '+02:00'), text.replace('Z', '9Z'))
  })
// A lone surrogate cannot be stored.
const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', '\ue000', '\uffff', '🥖', 'ä', '', 'a\0'))
const values = fc.oneof(texts, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null))

/** What the client says of two values, unless only the server knows. */
const certain = (one: unknown, other: unknown): number | null => {
  const placed = (id: number, field: unknown) => ({
    record: { id, version: 1, created_at: CREATED_AT, field },
    rank: null,
  })
  let isCertain = true
  const order = compareBy('field')(placed(1, one), placed(2, other), () => {
    isCertain = false
  })
  return isCertain ? Math.sign(order) : null
}

const onServer = (field: FieldSchema, one: string | number | boolean | null, other: string | number | boolean | null) =>
  Buffer.compare(keyOf([scalarOf(field, one)]), keyOf([scalarOf(field, other)]))

test('values are in the order of the server, or equal to it', () => {
  fc.assert(
    fc.property(values, values, (one, other) => {
      const order = certain(one, other)
      if (order !== null) expect(order).toBe(onServer({ type: 'string' }, one, other))
    }),
  )
})

test('times are in the order of the server whatever the schema says, or their order is not claimed', () => {
  fc.assert(
    fc.property(
      times,
      times,
      fc.constantFrom<FieldSchema>({ type: 'string', format: 'date-time' }, { type: 'string' }),
      (one, other, field) => {
        const order = certain(one, other)
        if (order !== null) expect(order).toBe(onServer(field, one, other))
      },
    ),
  )
})

test('times in the form of the API are always compared', () => {
  expect(certain('2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.001Z')).toBe(-1)
})

test('in descending order, records of one time are in descending order of their ids', () => {
  const placed = (id: number) => ({ record: { id, version: 1, created_at: CREATED_AT }, rank: null })
  expect(compareBy()(placed(1), placed(2), () => {})).toBeGreaterThan(0)
})
