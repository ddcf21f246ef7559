import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { GENERATORS } from '../support/generators.ts'
import { folder, run, type Server, serve } from '../support/process.ts'
import { PNG } from '../support/uploads.ts'

const home = folder()
const document = join(home.path, 'openapi.json')
const picture = join(home.path, 'dot.png')
let skep: Server
beforeAll(async () => {
  await Bun.write(picture, PNG)
  expect(await run(['openapi', '--out', document], { cwd: home.path })).toMatchObject({ code: 0 })
  skep = await serve({ cwd: home.path })
})
afterAll(async () => {
  await skep[Symbol.asyncDispose]()
  home[Symbol.dispose]()
})

describe.each([...GENERATORS])('the client that $name makes of the OpenAPI document', (generator) => {
  const check = test.skipIf(generator.missing)
  const client = join(home.path, generator.name)

  check('is made without a warning', async () => {
    mkdirSync(client)
    expect(await generator.generate(document, client)).not.toMatch(/warn|error|skip|unsupported|⚠/i)
  })

  check(
    'registers, signs in, refreshes, lists by cursor, updates on a condition, batches, uploads, downloads and links',
    async () => {
      const email = `${generator.name}@example.com`
      expect(await generator.round(client, { url: skep.url, email, picture })).toEqual({
        user: email,
        refreshed: true,
        listed: ['one', 'two', 'three'],
        updated: { title: 'fourth', version: 2 },
        conflict: { status: 412, code: 'version_mismatch' },
        batch: ['five', 'fourth', null],
        file: { filename: 'dot.png', content_type: 'image/png', size: PNG.length },
        part: { status: 206, range: `bytes 1-3/${PNG.length}`, bytes: [...PNG.subarray(1, 4)] },
        shared: [...PNG],
      })
    },
    // The compiler takes most of it.
    90_000,
  )
})
