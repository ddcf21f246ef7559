import { expect, test } from 'bun:test'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep()
const home = (headers: Record<string, string> = {}) => skep.call<string>('GET', '//', { headers })

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

test.each([[BROWSER], ['*/*'], ['text/html, application/json']])('/ is a page for Accept: %s', async (accept) => {
  const { status, headers, body } = await home({ accept })
  expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(body).toContain('<h1>Skep</h1>')
  expect(headers.get('vary')).toBe('Accept')
})

test('/ has links, and each target exists', async () => {
  const { body } = await home()
  const places = [...body.matchAll(/href="([^"]+)"/g)].map(([, path = '']) => path)
  expect(places).toEqual(expect.arrayContaining(['docs', 'redoc', 'openapi.json', 'asyncapi.json', 'health']))
  for (const path of places) expect([path, (await skep.call('GET', `//${path}`)).status]).toEqual([path, 200])
})

test.each(['application/json', 'application/problem+json', 'application/json, text/plain, */*'])(
  'a client of the API that asks for %s is told that / is no call',
  async (accept) => {
    const { status, body } = await skep.call('GET', '//', { headers: { accept } })
    expect([status, body.code]).toEqual([404, 'not_found'])
  },
)

test('the page runs no script, and loads nothing from other origins', async () => {
  const { headers, body } = await home()
  const policy = headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';")
  expect(body).not.toMatch(/<script|https?:|style=|<style/)
})

test('/ shows the name of the application and links to it, whatever characters the name has', async () => {
  const acme = await startSkep({ APP_NAME: 'Acme <b>"&', APP_URL: 'https://acme.example' })
  const { body } = await acme.call<string>('GET', '//')
  expect(body).toContain('<h1>Acme &lt;b&gt;&quot;&amp;</h1>')
  expect(body).toContain('href="https://acme.example"')
  expect(body).not.toContain('<b>')
})

test('/ answers 304 when If-None-Match matches, and accepts no other method', async () => {
  const { headers } = await home()
  expect((await home({ 'if-none-match': headers.get('etag') ?? '' })).status).toBe(304)
  const refused = await skep.call('POST', '//')
  expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
})
