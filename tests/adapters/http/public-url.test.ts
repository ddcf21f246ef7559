import { afterAll, describe, expect, test } from 'bun:test'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { startSkep } from '../../support/skep.ts'
import { upload } from '../../support/uploads.ts'

const BASE = '/deep/base'
const mailbox = createMailbox()

let target = ''
/** Takes the base off each path, as `handle_path` of Caddy does, and knows no other. */
const proxy = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request) {
    const { pathname, search } = new URL(request.url)
    if (!pathname.startsWith(`${BASE}/`)) return new Response('not mine', { status: 502 })
    const { method, body } = request
    // What fetch has decompressed must not say that it is compressed.
    const headers = new Headers(request.headers)
    headers.set('accept-encoding', 'identity')
    return fetch(target + pathname.slice(BASE.length) + search, { method, headers, body, redirect: 'manual' })
  },
})
afterAll(() => proxy.stop(true))

const root = `http://127.0.0.1:${proxy.port}`
const publicUrl = root + BASE
const skep = await startSkep({ PUBLIC_URL: `${publicUrl}/` }, { mailer: mailbox })
target = skep.url
const ann = await skep.member()
const auth = { authorization: `Bearer ${ann.token}` }

const statusOf = async (url: string, headers = {}) => (await fetch(url, { headers })).status
const post = (path: string, body: object) =>
  fetch(`${publicUrl}${path}`, {
    method: 'POST',
    headers: { ...auth, 'content-type': 'application/json', 'idempotency-key': path },
    body: JSON.stringify(body),
  })

interface Documented {
  readonly servers: readonly { readonly url: string }[] & { readonly skep?: object }
  readonly components: {
    readonly securitySchemes: {
      readonly password: { readonly flows: { readonly password: { readonly tokenUrl: string } } }
    }
  }
}

const parsed = async <T>(response: Response | Promise<Response>) => (await (await response).json()) as T

interface FileBody {
  readonly path: string
}

/** Where a page would load its parts from. */
const partsOf = async (url: string) => {
  const html = await (await fetch(url)).text()
  const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = '']) => part)
  const [, api] = /data-api="([^"]+)"/.exec(html) ?? []
  // What the form of a mailed link calls.
  if (api !== undefined) parts.push(`${api}/auth/password/reset`)
  return parts.map((part) => new URL(part, url).href)
}

describe('behind a proxy that strips the path of PUBLIC_URL', () => {
  test.each(['/docs', '/docs/', '/redoc', '/redoc/', '/verify-email', '/verify-email/', '/reset-password'])(
    'everything that %s loads is found',
    async (path) => {
      const parts = await partsOf(publicUrl + path)
      expect(parts.length).toBeGreaterThan(1)
      for (const part of parts) expect([part, await statusOf(part)]).toEqual([part, part.includes('/api/') ? 405 : 200])
    },
  )

  test.each(['/docs/start.js', '/redoc/start.js'])('%s finds the document beside itself', async (path) => {
    const script = await (await fetch(publicUrl + path)).text()
    const relative = /new URL\('([^']+)'/.exec(script)?.[1] ?? ''
    const { servers } = await parsed<Documented>(fetch(new URL(relative, publicUrl + path)))
    expect(servers).toEqual([{ url: BASE }])
  })

  test('the OpenAPI document says where to sign in', async () => {
    const { components } = await parsed<Documented>(fetch(`${publicUrl}/openapi.json`))
    const { tokenUrl } = components.securitySchemes.password.flows.password
    const form = new URLSearchParams({ username: ann.email, password: ann.password })
    expect((await fetch(new URL(tokenUrl, publicUrl), { method: 'POST', body: form })).status).toBe(200)
  })

  test('the AsyncAPI document says where the socket is', async () => {
    const { servers } = await parsed<Documented>(fetch(`${publicUrl}/asyncapi.json`))
    expect(servers.skep).toMatchObject({ host: new URL(root).host, pathname: BASE })
  })

  test('Location leads to the created resource, also when replayed', async () => {
    for (const _ of ['first', 'again']) {
      const item = await post('/api/v1/items/', { title: 'x' })
      expect(await statusOf(root + item.headers.get('location'), auth)).toBe(200)
    }
    const { body: file } = await upload(skep.call, { token: ann.token })
    const link = await post(`/api/v1/files/${file.id}/links`, { expires_in: 60 })
    expect(await statusOf(root + link.headers.get('location'), auth)).toBe(200)
    expect(await statusOf((await parsed<{ url: string }>(link)).url)).toBe(200)
    const user = { email: 'located@example.com', name: 'L', password: 'correct horse' }
    expect((await post('/api/v1/users/', user)).headers.get('location')).toStartWith(`${BASE}/api/v1/users/`)
  })

  test('the path of a file leads to its content', async () => {
    const { body: file, headers } = await upload(skep.call, { token: ann.token })
    expect(headers.get('location')).toBe(`${BASE}/api/v1/files/${file.id}`)
    const { items } = await parsed<{ items: FileBody[] }>(fetch(`${publicUrl}/api/v1/files/`, { headers: auth }))
    const one = await parsed<FileBody>(fetch(`${publicUrl}/api/v1/files/${file.id}`, { headers: auth }))
    for (const { path } of [file, ...items.slice(0, 1), one]) expect(await statusOf(root + path, auth)).toBe(200)
  })

  test('the home page names the API and the socket with that path', async () => {
    const html = await (await fetch(`${publicUrl}/`)).text()
    for (const path of ['/api/v1', '/ws/{client_id}']) expect(html).toContain(BASE + path)
    for (const [, before] of html.matchAll(/(.{5})\/(?:api\/v1|ws\/)/g)) expect(BASE).toEndWith(before ?? '-')
  })

  test('a mailed link opens its page', async () => {
    const mail = await mailbox.next(ann.email)
    expect(mail.text).toContain(`${publicUrl}/verify-email#token=${tokenIn(mail)}`)
  })
})
