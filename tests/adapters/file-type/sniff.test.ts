import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { sniffContentType } from '../../../src/adapters/file-type/sniff.ts'
import { detectHeadType } from '../../../src/application/detected-type.ts'
import { SAMPLES, type Sample, sample } from '../../support/samples.ts'

const contentOf = (bytes: Uint8Array, size: number | null = bytes.length) => ({
  size,
  read: async (first: number, end: number) => bytes.subarray(first, end),
})

const samples = await Promise.all(Object.keys(SAMPLES).map((name) => sample(name as Sample)))

const STARTS = ['II*\0', 'MM\0*', 'ID3\x04\0\0', 'PK\x03\x04', '\x1aE\xdf\xa3', '\x89PNG\r\n\x1a\n', '\0\0\0\x18ftyp']
const starts = fc.constantFrom(...STARTS.map((text) => Buffer.from(text, 'latin1')), ...samples)

test('never fails, whatever the bytes are and wherever they end', async () => {
  const bytes = fc
    .tuple(starts, fc.nat(3_000), fc.uint8Array({ maxLength: 200 }))
    .map(([start, cut, rest]) => Buffer.concat([start.subarray(0, cut), rest]))
  await fc.assert(
    fc.asyncProperty(bytes, fc.boolean(), async (content, complete) => {
      const type = await sniffContentType(contentOf(content, complete ? content.length : null))
      expect(type === null || /^[\w.+-]+\/[\w.+-]+(; codecs=opus)?$/.test(type)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('a type detected from the first bytes is the type of the whole', async () => {
  const cut = fc.tuple(fc.constantFrom(...samples), fc.nat(40_000))
  await fc.assert(
    fc.asyncProperty(cut, async ([whole, length]) => {
      const bytes = whole.subarray(0, length)
      const known = await detectHeadType(sniffContentType, { bytes, complete: false })
      if (known !== null) expect(await sniffContentType(contentOf(whole))).toBe(known)
    }),
    { numRuns: 300 },
  )
})
