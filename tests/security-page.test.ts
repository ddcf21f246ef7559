import { expect, test } from 'bun:test'
import { join } from 'node:path'

const page = await Bun.file(join(import.meta.dir, '../docs/security.md')).text()

/** A test as the page names it: a file, and then one or more titles. */
const REFERENCE = /`(?:tests\/)?([\w./-]+\.ts)`((?: “[^”]+”)+)/g

const references = [...page.matchAll(REFERENCE)].flatMap(([, file = '', titles = '']) =>
  [...titles.matchAll(/“([^”]+)”/g)].map(([, title = '']) => ({ file, title })),
)

test('every test that docs/security.md names exists', async () => {
  expect(references.length).toBeGreaterThan(100)
  expect(page.match(/“/g)).toHaveLength(references.length)
  const missing: string[] = []
  for (const { file, title } of references) {
    const source = await Bun.file(join(import.meta.dir, file)).text()
    if (!source.includes(title)) missing.push(`${file} “${title}”`)
  }
  expect(missing).toEqual([])
})
