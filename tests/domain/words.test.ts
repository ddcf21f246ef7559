import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { MAX_QUERY_WORDS_COUNT, matchesWords, queryWordsOf, wordsOf } from '../../src/domain/words.ts'

const words = (text: string) => [...wordsOf(text)]

describe('words', () => {
  test.each([
    ['⚠️Important notice', ['important', 'notice']],
    ['❤️', []],
    ['👩‍👩‍👧 family', ['family']],
    ['1️⃣ first', ['1', 'first']],
    ['\u0301a', ['a']],
    ['ＡＢＣ ｶﾞ', ['abc', 'ガ']],
    ['STRASSE straße STRAẞE', ['strasse']],
    ['İstanbul', ['istanbul']],
    ['soft\u00adhyphen zero\u200bwidth', ['softhyphen', 'zero', 'width']],
    ['\u3164 \u180e', []],
    ['Crème ΟΔΌΣ οδός', ['creme', 'οδόσ']],
    ['हिन्दी', ['हिन्दी']],
  ])('of %j are %j', (text, expected) => {
    expect(words(text)).toEqual(expected)
  })

  test.each(['한국어', 'がっこう', 'й', 'ё', 'Việt', 'ά', 'שָׁלוֹם', 'हिन्दी'])(
    'are the same composed and decomposed (%s)',
    (text) => {
      expect(words(text.normalize('NFD'))).toEqual(words(text.normalize('NFC')))
      expect(words(text).length).toBe(1)
    },
  )

  test('do not depend on the case of any character', () => {
    const differing: string[] = []
    for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
      const character = String.fromCodePoint(codePoint)
      const cases = [character.toUpperCase(), character.toLowerCase(), character.toLowerCase().toUpperCase()]
      // After a Greek letter, because a word does not begin with a mark and a Latin letter loses its marks.
      const differs = cases.some((each) => each !== character && `${words(`α${each}`)}` !== `${words(`α${character}`)}`)
      if (differs) differing.push(character)
    }
    expect(differing).toEqual([])
  })

  const text = fc.string({ unit: 'grapheme' })

  test('do not depend on the form of Unicode', () => {
    fc.assert(
      fc.property(text, (given) => {
        const spelled = (['NFC', 'NFD', 'NFKC', 'NFKD'] as const).map((form) => words(given.normalize(form)))
        for (const each of spelled) expect(each).toEqual(words(given))
      }),
    )
  })

  test('never begin with a mark and never contain what ends a word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (given) => {
        for (const word of words(given)) expect(word).toMatch(/^[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{M}\p{Co}]*$/u)
      }),
    )
  })
})

describe('a query', () => {
  test('counts each word once, leaves out what another implies, and has eight words at most', () => {
    expect(queryWordsOf('bee BEE bees')).toEqual(['bees'])
    expect(queryWordsOf(Array.from({ length: 100 }, (_, n) => `w${n}x`).join(' '))).toHaveLength(MAX_QUERY_WORDS_COUNT)
  })

  test.each([
    ['a bee', 'a', true],
    ['bee apiary', 'a', false],
    ['bee apiary', 'ap', true],
    ['日本語', '日', false],
    ['日本語', '日本', true],
    ['한국어', '한', false],
    ['a-b', 'b', true],
    ['ab', 'b', false],
  ])('in %j for %j: %j', (text, query, expected) => {
    expect(matchesWords(text, queryWordsOf(query))).toBe(expected)
  })

  test('means the same in an ASCII text as in any other', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'A', '1', ' ', '-'), maxLength: 12 })
    fc.assert(
      fc.property(letters, letters, (text, query) => {
        const wanted = queryWordsOf(query)
        expect(matchesWords(`${text} é`, wanted)).toBe(matchesWords(text, wanted) || matchesWords('e', wanted))
      }),
    )
  })
})
