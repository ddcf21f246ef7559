import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { requestedRange } from '../../src/domain/byte-range.ts'

describe('a range of ten bytes', () => {
  test.each<[string | null, ReturnType<typeof requestedRange>]>([
    [null, 'whole'],
    ['bytes=0-4', { first: 0, last: 4 }],
    ['bytes=5-', { first: 5, last: 9 }],
    ['bytes=9-9', { first: 9, last: 9 }],
    ['bytes=0-99999999999999999999', { first: 0, last: 9 }],
    ['bytes=-3', { first: 7, last: 9 }],
    ['bytes=-30', { first: 0, last: 9 }],
    ['Bytes= 0-4 ', { first: 0, last: 4 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=99999999999999999999-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=4-2', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes=0-1,3-4', 'whole'],
    ['bytes=1.5-2', 'whole'],
    ['bytes=0x1-2', 'whole'],
    ['bytes 0-4', 'whole'],
    ['items=0-4', 'whole'],
    ['', 'whole'],
  ])('%p is %p', (header, expected) => {
    expect(requestedRange(header, 10)).toEqual(expected)
  })

  test('an empty file has no part', () => {
    expect(requestedRange('bytes=0-', 0)).toBe('unsatisfiable')
    expect(requestedRange('bytes=-5', 0)).toBe('whole')
  })
})

const position = fc.nat({ max: 60 })
const content = fc.uint8Array({ minLength: 1, maxLength: 50 })

test('a range contains the same bytes as that part of the whole', () => {
  fc.assert(
    fc.property(content, position, position, (bytes, from, to) => {
      const range = requestedRange(`bytes=${from}-${to}`, bytes.length)
      if (typeof range === 'object') {
        expect(bytes.slice(range.first, range.last + 1)).toEqual(bytes.slice(from, to + 1))
      } else expect(range).toBe(to < from ? 'whole' : 'unsatisfiable')
    }),
  )
})

test('a suffix is the end, and a prefix with the rest is the whole', () => {
  fc.assert(
    fc.property(content, position, (bytes, length) => {
      const suffix = requestedRange(`bytes=-${length}`, bytes.length)
      if (typeof suffix === 'object') {
        expect(bytes.slice(suffix.first, suffix.last + 1)).toEqual(bytes.slice(-length))
      } else expect([suffix, length]).toEqual(['unsatisfiable', 0])
      const rest = requestedRange(`bytes=${length}-`, bytes.length)
      if (typeof rest === 'object') expect(rest).toEqual({ first: length, last: bytes.length - 1 })
      else expect(length).toBeGreaterThanOrEqual(bytes.length)
    }),
  )
})

test('every range is within the file, whatever a client sends', () => {
  const header = fc.oneof(fc.string(), fc.stringMatching(/^bytes=[0-9,\- ]{0,30}$/))
  fc.assert(
    fc.property(header, fc.nat({ max: 1_000 }), (text, size) => {
      const range = requestedRange(text, size)
      if (typeof range !== 'object') return
      expect(range.first).toBeGreaterThanOrEqual(0)
      expect(range.last).toBeGreaterThanOrEqual(range.first)
      expect(range.last).toBeLessThan(size)
    }),
  )
})
