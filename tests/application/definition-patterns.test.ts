import { expect, test } from 'bun:test'
import { createEventLoopSlices } from '../../src/adapters/bun/event-loop-slices.ts'
import { compilePattern } from '../../src/adapters/json-schema/patterns.ts'
import { createPatternCompiling } from '../../src/application/definition-patterns.ts'

const schemaOf = (patterns: readonly string[]) => ({
  type: 'object',
  properties: Object.fromEntries(patterns.map((pattern, n) => [`f${n}`, { type: 'string', pattern }])),
})

const countingTurns = () => {
  const slices = createEventLoopSlices()
  let turns = 0
  const next = () => {
    turns++
    return slices.next()
  }
  return { slices: { isOver: () => true, next }, turns: () => turns }
}

test('each pattern of a definition is compiled once, in a turn of the event loop of its own', async () => {
  const { slices, turns } = countingTurns()
  const patterns = Array.from({ length: 20 }, (_, n) => `^a${n}$`)
  const compiled = await createPatternCompiling(
    compilePattern,
    slices,
  )({ schema: schemaOf([...patterns, ...patterns]) })
  expect([...compiled.keys()]).toEqual(patterns)
  expect(turns()).toBe(20)
})

test('patterns that a definition cannot have because of the ones before are not compiled', async () => {
  const patterns = Array.from({ length: 100 }, (_, n) => `${'\\p{L}'.repeat(35)}${n}(?=x)`)
  const compiled = await createPatternCompiling(compilePattern, countingTurns().slices)({ schema: schemaOf(patterns) })
  expect([...compiled.keys()]).toEqual(patterns.slice(0, 7))
})
