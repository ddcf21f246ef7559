import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isLine, isText, LINE_PATTERN } from '../../src/domain/text.ts'

const LENGTH = { minLength: 1, maxLength: 200 }

describe('a line', () => {
  test.each([
    '\u3164',
    '\u00ad',
    '\u180e',
    '\uffa0',
    '\u2800',
    '\u115f\u1160',
    '\u034f',
    '\u2060\u2064',
    '\ufe0f',
    '\u{e0041}',
    '\u{e0100}',
    '\u{1d173}',
    '\u{1bca0}',
    '\u{1d159}',
    '\u0600',
    '\ufff9',
    '\u00a0\u2003\u3000',
    '\u200b \u3164',
  ])('has a visible character (%j)', (text) => {
    expect(isLine(text, LENGTH)).toBe(false)
    expect(isLine(`${text}x${text}`, LENGTH)).toBe(true)
  })

  test.each(['👩‍👩‍👧', '❤️', 'می‌خواهم', '한국어', '.', '·', '\u0301', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'])(
    'may contain characters that join and vary visible ones (%s)',
    (text) => {
      expect(isLine(text, LENGTH)).toBe(true)
    },
  )

  test('matches its pattern for documents, within the Basic Multilingual Plane', () => {
    const pattern = new RegExp(LINE_PATTERN)
    for (let unit = 0; unit < 0xd800; unit++) {
      const text = String.fromCharCode(unit)
      if (isLine(text, LENGTH) !== pattern.test(text)) throw new Error(`U+${unit.toString(16)}`)
    }
    for (let unit = 0xe000; unit <= 0xffff; unit++) {
      const text = String.fromCharCode(unit)
      if (isLine(text, LENGTH) !== pattern.test(text)) throw new Error(`U+${unit.toString(16)}`)
    }
  })
})

test('text is counted by characters, and unpaired surrogates are refused', () => {
  const anything = fc.string({
    unit: fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), fc.constant('\ud83d')),
    maxLength: 30,
  })
  fc.assert(
    fc.property(anything, fc.nat(10), fc.integer({ min: 10, max: 25 }), (text, minLength, maxLength) => {
      const count = [...text].length
      expect(isText(text, { minLength, maxLength })).toBe(
        text.isWellFormed() && count >= minLength && count <= maxLength,
      )
    }),
  )
})
