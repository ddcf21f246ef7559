import { expect, test } from 'bun:test'
import { NOTHING_IMPORTED, withPart } from '../../src/application/import-results.ts'
import { AppError } from '../../src/domain/errors.ts'

const line = (number: number) => ({ number, text: '{}' })
const faults = Array.from({ length: 20 }, (_, n) => ({ pointer: `/field_${n}`, detail: 'Expected a text' }))
const refusal = (number: number, count: number) => ({
  line: line(number),
  error: new AppError('validation_failed', 'The line does not have the expected form', {
    faults: faults.slice(0, count),
  }),
})
const refusals = (count: number, faultsCount: number) =>
  Array.from({ length: count }, (_, n) => refusal(n + 1, faultsCount))

test('a part adds to what was created and refused, and its refused lines follow in their order', () => {
  const first = withPart(NOTHING_IMPORTED, [line(1), line(3)], [refusal(2, 1)])
  const second = withPart(first, [line(5)], [refusal(6, 1), refusal(4, 1)])
  expect(second).toMatchObject({ created: 3, refused: 3, lines: [{ line: 2 }, { line: 4 }, { line: 6 }] })
})

test.each([
  ['lines', 1_500, 1, 1_000],
  ['faults', 1_500, 20, 250],
])('only the first refused lines are listed when there are many %s', (_, count, faultsCount, listedCount) => {
  const result = withPart(NOTHING_IMPORTED, [], refusals(count, faultsCount))
  expect([result.refused, result.lines.length, result.lines.at(-1)?.line]).toEqual([count, listedCount, listedCount])
  const after = withPart(result, [], [refusal(count + 1, 0)])
  expect([after.refused, after.lines.length]).toEqual([count + 1, listedCount])
})
