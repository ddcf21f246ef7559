import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder, run } from '../support/process.ts'

test('openapi prints the document and makes no data folder', async () => {
  using home = folder()
  const { code, stdout, stderr } = await run(['openapi'], { cwd: home.path })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({ openapi: expect.stringMatching(/^3\./), paths: expect.any(Object) })
  expect(readdirSync(home.path)).toEqual([])
})

test('openapi --out writes the same document to a file, and nothing to standard output', async () => {
  using home = folder()
  const printed = await run(['openapi'], { cwd: home.path })
  const written = await run(['openapi', '--out', 'openapi.json'], { cwd: home.path })
  expect(written).toMatchObject({ code: 0, stdout: '' })
  expect(JSON.parse(readFileSync(join(home.path, 'openapi.json'), 'utf8'))).toEqual(JSON.parse(printed.stdout))
  expect(readdirSync(home.path)).toEqual(['openapi.json'])
})

test('openapi needs no valid settings', async () => {
  using home = folder()
  expect((await run(['openapi'], { cwd: home.path, env: { PORT: 'none' } })).code).toBe(0)
})

test('a file that cannot be written exits 1 with one line', async () => {
  using home = folder()
  const { code, stderr } = await run(['openapi', '--out', 'missing/openapi.json'], { cwd: home.path })
  expect(code).toBe(1)
  expect(stderr).toMatch(/^skep: .+\n$/)
})
