import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { SUITE } from '../client/suite.ts'
import { missing, openPage } from '../support/browser.ts'
import { startClientServer } from '../support/client-server.ts'
import { temporaryFolder } from '../support/skep.ts'

const node = Bun.which('node')
const MAX_SUITE_MS = 120_000

const bundle = async (file: string, target: 'node' | 'browser'): Promise<string> => {
  const entrypoint = resolve(import.meta.dir, `../client/${file}`)
  const { outputs } = await Bun.build({ entrypoints: [entrypoint], target, format: 'esm' })
  return (await outputs[0]?.text()) ?? ''
}

const script = bundle('browser.ts', 'browser')
/** A page with the client. */
const site = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request) {
    if (new URL(request.url).pathname === '/skep.js') {
      return new Response(await script, { headers: { 'content-type': 'text/javascript' } })
    }
    const page = '<!doctype html><script type="module" src="/skep.js"></script>'
    return new Response(page, { headers: { 'content-type': 'text/html' } })
  },
})
afterAll(() => site.stop(true))
const origin = site.url.origin

const skep = await startClientServer({ CORS_ORIGINS: origin })

type Results = Readonly<Record<string, string | null>>

/** The suite as tests of this file, run elsewhere. */
const describeSuite = (platform: string, run: () => Promise<Results>) =>
  describe(platform, () => {
    let results: Results = {}
    beforeAll(async () => {
      results = await run()
    }, MAX_SUITE_MS)
    for (const title of Object.keys(SUITE)) test(title, () => expect(results[title]).toBe(null))
  })

if (node !== null) {
  describeSuite('Node', async () => {
    const file = join(temporaryFolder(), 'suite.mjs')
    await Bun.write(file, await bundle('node.mjs', 'node'))
    const child = Bun.spawn([node, file, skep.url], { stdout: 'pipe', stderr: 'inherit' })
    return JSON.parse(await new Response(child.stdout).text())
  })
}

const visit = async (page: Page) => {
  await page.goto(origin)
  await page.waitForFunction('window.skep')
  return page
}

if (!missing) {
  describeSuite('Chromium', async () => {
    const page = await visit((await openPage()).page)
    const results = await page.evaluate<Results>(`skep.runSuite({ url: ${JSON.stringify(skep.url)} })`)
    await page.close()
    return results
  })

  test('ten tabs of a browser refresh their session once', async () => {
    const { email, password, id } = await skep.member()
    const context = await (await openPage()).page.context().browser()?.newContext()
    if (context === undefined) throw new Error('no browser')
    const tabs = await Promise.all(Array.from({ length: 10 }, async () => visit(await context.newPage())))
    const options = JSON.stringify({ url: skep.url })
    // A session whose access token is about to expire.
    await tabs[0]?.evaluate(`(async () => {
      await skep.createClient(${options}).auth.signIn(${JSON.stringify({ email, password })})
      const key = ${JSON.stringify(`skep:${skep.url}`)}
      localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), renewAtMs: 0 }))
    })()`)
    const requestsCount = () => skep.log.entries.filter(({ fields }) => fields.route === '/api/v1/auth/token').length
    const before = requestsCount()
    const users = await Promise.all(
      tabs.map((tab) => tab.evaluate<{ id: number }>(`skep.createClient(${options}).call('GET', '/users/me')`)),
    )
    expect(users.map((user) => user.id)).toEqual(tabs.map(() => id))
    expect(requestsCount() - before).toBe(1)
    await context.close()
  })
}
