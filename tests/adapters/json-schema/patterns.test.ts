import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { sizeOfPattern } from '../../../src/adapters/json-schema/pattern-size.ts'
import { compilePattern } from '../../../src/adapters/json-schema/patterns.ts'

const RUNS = Number(process.env.FUZZ_RUNS ?? 100)

const reasonOf = (source: string): string | null => {
  const compiled = compilePattern(source)
  return 'reason' in compiled ? compiled.reason : null
}

const matches = (source: string, text: string): boolean => {
  const compiled = compilePattern(source)
  if ('reason' in compiled) throw new Error(compiled.reason)
  return compiled.matches(text)
}

test.each<[string, string]>([
  ['(?=a)b', 'linear time'],
  ['(?<!a)b', 'linear time'],
  ['(a)\\1', 'linear time'],
  ['\\p{Script=Greek}', 'linear time'],
  ['(', 'ECMAScript'],
  ['(?i)a', 'ECMAScript'],
  ['\\Qa\\E', 'ECMAScript'],
  ['[[:alpha:]]', 'ECMAScript'],
  ['a**', 'ECMAScript'],
  ['x{501}', 'too large'],
  ['(x{30}){30}', 'too large'],
  ['(\\p{L}{10}){20}', 'too large'],
  [`(${'ab'.repeat(200)}){2}`, 'too large'],
  ['a'.repeat(501), 'at most 500 characters'],
])('%s is refused: %s', (source, reason) => {
  expect(reasonOf(source)).toContain(reason)
})

test('a reason does not repeat the pattern', () => {
  expect(reasonOf('(?=SECRET)')).not.toContain('SECRET')
})

test.each<[string, readonly string[], readonly string[]]>([
  ['^[a-z0-9]+(-[a-z0-9]+)*$', ['a', 'oak-table-2'], ['', 'Oak', 'a-', 'a--b']],
  ['^\\p{Lu}\\p{L}*$', ['Ärger'], ['ärger', 'A1']],
  ['^[\\p{L}\\p{N} .-]{1,40}$', ['Ørsted 2'], ['', 'a_b']],
  ['b', ['abc'], ['ac']],
  ['', ['', 'x'], []],
  ['^\\u{1F41D}\\u0041$', ['🐝A'], ['🐝']],
  ['^(?<year>\\d{4})$', ['2026'], ['26']],
  ['^a$', ['a'], ['a\n', 'b\na']],
  ['^.$', ['🐝'], ['\n', '']],
  ['^(a+)+$', ['a'.repeat(10_000)], [`${'a'.repeat(10_000)}!`]],
])('%s', (source, good, bad) => {
  for (const text of good) expect(matches(source, text)).toBe(true)
  for (const text of bad) expect(matches(source, text)).toBe(false)
})

test('a pattern that leads a text through many states keeps its answer', () => {
  const source = '^[ab]*a[ab]{12}$'
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 13, maxLength: 200 }), (text) => {
      expect(matches(source, text)).toBe(text.at(-13) === 'a')
    }),
    { numRuns: RUNS },
  )
})

test('more patterns than are remembered are still right', () => {
  const compiled = Array.from({ length: 300 }, (_, index) => compilePattern(`^x{${index}}$`))
  for (const [index, pattern] of compiled.entries()) {
    expect('matches' in pattern && pattern.matches('x'.repeat(index))).toBe(true)
    expect('matches' in pattern && pattern.matches('x'.repeat(index + 1))).toBe(false)
  }
})

const atom = fc.constantFrom('a', 'b', '.', '\\d', '\\w', '[ab]', '[^a]', '\\.', '\\b')
const quantifier = fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '{2,}', '*?')
const { sequence } = fc.letrec<{ sequence: string; part: string }>((tie) => ({
  sequence: fc.array(tie('part'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('')),
  part: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(atom, quantifier).map(([one, times]) => (one === '\\b' ? one : one + times)),
    fc.tuple(tie('sequence'), tie('sequence'), quantifier).map(([one, other, times]) => `(${one}|${other})${times}`),
    fc.tuple(tie('sequence'), quantifier).map(([one, times]) => `(?:${one})${times}`),
  ),
}))

test('patterns match as in ECMAScript', () => {
  fc.assert(
    fc.property(
      sequence,
      fc.boolean(),
      fc.string({ unit: fc.constantFrom('a', 'b', '1', '.', ' '), maxLength: 8 }),
      (source, isWhole, text) => {
        const pattern = isWhole ? `^${source}$` : source
        if (reasonOf(pattern) !== null) return
        expect(matches(pattern, text)).toBe(new RegExp(pattern, 'u').test(text))
      },
    ),
    { numRuns: RUNS },
  )
})

test('the size of a pattern bounds what it compiles to', () => {
  fc.assert(
    fc.property(sequence, (source) => {
      const compiled = compilePattern(source)
      // An instruction more for each group and choice, and a few for every pattern.
      if ('matches' in compiled) expect(compiled.stepsPerCharacter).toBeLessThanOrEqual(2 * sizeOfPattern(source) + 4)
    }),
  )
})

test.each<[string, number]>([
  ['abc', 3],
  ['[a\\]b]c', 2],
  ['a{10}', 10],
  ['a{0,10}', 20],
  ['(ab){10}', 30],
  ['((a{10}){10}){10}', 1_120],
  ['\\p{L}', 4],
  ['[\\p{L}\\p{N}]{5}', 40],
  ['\\{5}', 2],
])('%s has a size of about %d', (source, size) => {
  expect(sizeOfPattern(source)).toBeGreaterThanOrEqual(size * 0.5)
  expect(sizeOfPattern(source)).toBeLessThanOrEqual(size * 2)
})
