import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { GENERATORS } from '../support/generators.ts'
import { folder, run, type Server, serve } from '../support/process.ts'
import { SHOPPING } from '../support/shopping.ts'
import { PNG } from '../support/uploads.ts'

const home = folder()
const document = join(home.path, 'openapi.json')
const picture = join(home.path, 'dot.png')
let skep: Server
beforeAll(async () => {
  await Bun.write(picture, PNG)
  for (const [name, definition] of Object.entries(SHOPPING)) {
    await Bun.write(join(home.path, 'definitions', `${name}.json`), JSON.stringify({ name, ...definition }))
  }
  expect(await run(['collections', 'apply', 'definitions'], { cwd: home.path })).toMatchObject({ code: 0 })
  skep = await serve({ cwd: home.path })
  await Bun.write(document, JSON.stringify((await skep.call('GET', '//openapi.json')).body))
})
afterAll(async () => {
  await skep[Symbol.asyncDispose]()
  home[Symbol.dispose]()
})

describe.each([...GENERATORS])('the client that $name makes of the OpenAPI document of a server', (generator) => {
  const check = test.skipIf(generator.missing)
  const client = join(home.path, generator.name)

  check('is made without a warning', async () => {
    mkdirSync(client)
    expect(await generator.generate(document, client)).not.toMatch(/warn|error|skip|unsupported|⚠/i)
  })

  check(
    'registers, signs in, refreshes, lists by cursor, updates on a condition, batches, expands, uploads, downloads and links',
    async () => {
      const email = `${generator.name}@example.com`
      expect(await generator.round(client, { url: skep.url, email, picture })).toEqual({
        user: email,
        refreshed: true,
        listed: ['one', 'two', 'three'],
        updated: { title: 'fourth', version: 2 },
        conflict: { status: 412, code: 'version_mismatch' },
        batch: ['five', 'fourth', null],
        task: { title: 'Milk', list: 'Groceries', owner: 'Ann' },
        file: { filename: 'dot.png', content_type: 'image/png', size: PNG.length },
        part: { status: 206, range: `bytes 1-3/${PNG.length}`, bytes: [...PNG.subarray(1, 4)] },
        shared: [...PNG],
      })
    },
    // The compiler takes most of it.
    90_000,
  )
})
