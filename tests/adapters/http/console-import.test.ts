import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { partsOf } from '../../../src/adapters/http/console/app/import-parts.ts'

const read = async (text: string) => {
  const parts = await Array.fromAsync(partsOf(new Blob([text])))
  return Promise.all(parts.map(async ({ body, ...part }) => ({ ...part, text: await body.text() })))
}

/** Long enough for several parts. */
const line = fc
  .record({ text: fc.string({ maxLength: 20 }), times: fc.integer({ min: 0, max: 5_000 }) })
  .map(({ text, times }) => text.replaceAll('\n', '').repeat(times))

test('the parts of a file are the file, and each begins with a line whose number it states', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 12 }), fc.constantFrom('', '\n'), async (lines, end) => {
      const text = lines.join('\n') + end
      const parts = await read(text)
      expect(parts.map((part) => part.text).join('')).toBe(text)
      let before = ''
      for (const { text: part, linesBefore } of parts) {
        expect(before === '' || before.endsWith('\n')).toBe(true)
        expect(linesBefore).toBe(before.split('\n').length - 1)
        before += part
      }
      expect(parts.at(-1)?.share ?? 1).toBe(1)
    }),
    { numRuns: 50 },
  )
})

test('a file of ten thousand short lines has enough parts to show progress', async () => {
  const text = Array.from({ length: 10_000 }, (_, n) => `{"name":"List ${n}"}\n`).join('')
  expect((await read(text)).map(({ share }) => Math.round(share * 100))).toEqual([31, 63, 94, 100])
})

test('a line that never ends is one part', async () => {
  expect(await read('x'.repeat(20 * 1_024 * 1_024)).then((parts) => parts.length)).toBe(1)
})
