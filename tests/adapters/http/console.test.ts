import { expect, test } from 'bun:test'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ APP_NAME: 'Acme <b>"&', PUBLIC_URL: 'https://acme.example/back' })

/** 250 kB, as kilobytes of downloads are counted. */
const MAX_GZIPPED_BYTES = 250_000

const read = (path: string, headers: Record<string, string> = {}) => fetch(`${skep.url}${path}`, { headers })

test.each(['/console', '/console/', '/console/setup', '/console/collections/tasks/definition', '/console/nowhere'])(
  '%s is the page of the console, under a policy without inline scripts and styles',
  async (path) => {
    const response = await read(path)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;")
    const page = await response.text()
    expect(page).toContain('data-base="/back" data-app="Acme &lt;b&gt;&quot;&amp;"')
    expect(page).not.toMatch(/<script(?![^>]* src=)|<style|style=|https?:/)
  },
)

/** The assets of the page, and the chunks that its script imports at once. */
const firstAssets = async (): Promise<readonly string[]> => {
  const page = await (await read('/console/')).text()
  const named = [...page.matchAll(/"\/back(\/console\/assets\/[^"]+)"/g)].map(([, path = '']) => path)
  const script = await (await read('/console/assets/main.js')).text()
  const imported = [...script.matchAll(/import(?:[^'"();]*from)?\s*"\.\/([^"]+)"/g)].map(([, name = '']) => name)
  return [...named, ...imported.map((name) => `/console/assets/${name}`)]
}

test('its assets are small, compressed, and revalidated by ETag', async () => {
  let size = 0
  const assets = await firstAssets()
  expect(assets.length).toBeGreaterThanOrEqual(2)
  for (const path of assets) {
    const response = await fetch(`${skep.url}${path}`, { headers: { 'accept-encoding': 'gzip' }, decompress: false })
    expect([path, response.status, response.headers.get('content-encoding')]).toEqual([path, 200, 'gzip'])
    size += (await response.bytes()).byteLength
    const etag = response.headers.get('etag') ?? ''
    expect((await read(path, { 'accept-encoding': 'gzip', 'if-none-match': etag })).status).toBe(304)
  }
  expect(size).toBeLessThan(MAX_GZIPPED_BYTES)
})

test('an asset that does not exist is 404, and not the page', async () => {
  const { status, body } = await skep.call('GET', '//console/assets/nothing.js')
  expect([status, body.code]).toEqual([404, 'not_found'])
})
