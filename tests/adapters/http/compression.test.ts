import { describe, expect, test } from 'bun:test'
import { acceptsGzip } from '../../../src/adapters/http/compression.ts'
import { createMailbox } from '../../support/mail.ts'
import { startSkep } from '../../support/skep.ts'
import { upload } from '../../support/uploads.ts'

const skep = await startSkep({ CORS_ORIGINS: 'https://app.example.com' }, { mailer: createMailbox() })
const ann = await skep.member()

/** The answer as it is on the wire. */
const raw = async (path: string, headers: Record<string, string> = {}, method = 'GET', token = ann.token) => {
  const response = await fetch(`${skep.url}${path}`, {
    method,
    decompress: false,
    headers: { authorization: `Bearer ${token}`, 'accept-encoding': 'gzip', ...headers },
  })
  const bytes = await response.bytes()
  const isGzip = response.headers.get('content-encoding') === 'gzip'
  const text = new TextDecoder().decode(isGzip ? Bun.gunzipSync(new Uint8Array(bytes)) : bytes)
  return { status: response.status, headers: response.headers, size: bytes.length, isGzip, text }
}

const plain = { 'accept-encoding': 'identity' }

const createItems = async (count: number, description: string) => {
  const operations = Array.from({ length: count }, (_, nth) => ({ op: 'create', title: `Item ${nth}`, description }))
  await skep.call('POST', '/items/batch', { token: ann.token, json: { operations } })
}

await createItems(100, 'Some words that come again and again. '.repeat(20))

describe('a page', () => {
  test.each([20, 100])(
    'of %d items is compressed for clients that accept gzip, with the same content',
    async (size) => {
      const packed = await raw(`/api/v1/items/?size=${size}`)
      const whole = await raw(`/api/v1/items/?size=${size}`, plain)
      expect([packed.isGzip, whole.isGzip]).toEqual([true, false])
      expect(packed.text).toBe(whole.text)
      expect(packed.size).toBeLessThan(whole.size / 4)
      expect(packed.headers.get('content-type')).toBe(whole.headers.get('content-type'))
      expect(packed.headers.get('x-content-type-options')).toBe('nosniff')
    },
  )

  test('varies by Accept-Encoding', async () => {
    const { headers } = await raw('/api/v1/items/', { origin: 'https://app.example.com' })
    expect(headers.get('vary')).toBe('Origin, Accept-Encoding')
  })

  test('is complete for each of many concurrent clients', async () => {
    const whole = await raw('/api/v1/items/?size=100', plain)
    const answers = await Promise.all(Array.from({ length: 20 }, () => raw('/api/v1/items/?size=100')))
    for (const { text } of answers) expect(text).toBe(whole.text)
    expect((await raw('/api/v1/items/?size=100')).isGzip).toBe(true)
  })

  test('that is small is not compressed', async () => {
    expect((await raw('/api/v1/items/?size=1')).isGzip).toBe(false)
  })
})

describe('never compressed', () => {
  test('is a response with credentials, however long', async () => {
    const { body: file } = await upload(skep.call, { token: ann.token })
    const json = { expires_in: 60 }
    for (let nth = 0; nth < 20; nth++) {
      await skep.call('POST', `/files/${file.id}/links`, { token: ann.token, json })
    }
    const { isGzip, text, headers } = await raw(`/api/v1/files/${file.id}/links`)
    expect([isGzip, text.length > 1_400, headers.get('cache-control')]).toEqual([false, true, 'no-store'])
    const signedIn = await fetch(`${skep.url}/api/v1/auth/token`, {
      method: 'POST',
      headers: { 'accept-encoding': 'gzip' },
      body: new URLSearchParams({ username: ann.email, password: ann.password }),
    })
    expect([signedIn.status, signedIn.headers.get('content-encoding')]).toEqual([200, null])
  })

  test('is an item, whose ETag names its bytes', async () => {
    const json = { title: 'Long', description: 'word '.repeat(1_000) }
    const { body, headers: created } = await skep.call('POST', '/items/', { token: ann.token, json })
    const { isGzip, headers } = await raw(`/api/v1/items/${body.id}`)
    expect([isGzip, headers.get('etag')]).toEqual([false, created.get('etag')])
  })

  test('is a file', async () => {
    const { body } = await upload(skep.call, { token: ann.token })
    expect((await raw(body.path)).isGzip).toBe(false)
  })
})

describe.each(['/openapi.json', '/asyncapi.json', '/docs/swagger-ui.js', '/docs/swagger-ui.css', '/redoc/redoc.js'])(
  '%s',
  (path) => {
    test('is compressed for clients that accept gzip', async () => {
      const [packed, whole] = [await raw(path), await raw(path, plain)]
      expect([packed.isGzip, whole.isGzip]).toEqual([true, false])
      expect(packed.text).toBe(whole.text)
      expect(packed.size).toBeLessThan(whole.size / 2)
      expect([packed.headers.get('vary'), whole.headers.get('vary')]).toEqual([
        'Origin, Accept-Encoding',
        'Origin, Accept-Encoding',
      ])
    })

    test('has an ETag for each form, and answers 304 when it matches', async () => {
      const tags = [(await raw(path)).headers.get('etag') ?? '', (await raw(path, plain)).headers.get('etag') ?? '']
      expect(tags[0]).not.toBe(tags[1])
      expect((await raw(path, { 'if-none-match': tags[0] ?? '' })).status).toBe(304)
      expect((await raw(path, { ...plain, 'if-none-match': `"other", ${tags[1]}` })).status).toBe(304)
      expect((await raw(path, { ...plain, 'if-none-match': tags[0] ?? '' })).status).toBe(200)
    })
  },
)

test.each([20, 100])('HEAD of a page of %d items has no body', async (size) => {
  const response = await fetch(`${skep.url}/api/v1/items/?size=${size}`, {
    method: 'HEAD',
    headers: { authorization: `Bearer ${ann.token}`, 'accept-encoding': 'gzip' },
  })
  expect([response.status, (await response.bytes()).length]).toEqual([200, 0])
})

const accepts = (value: string) =>
  acceptsGzip(new Request('http://localhost', { headers: { 'accept-encoding': value } }))

test.each(['gzip', 'br, gzip', 'GZIP;q=0.5', 'deflate,gzip;q=1.0', 'gzip ; q=0.001', 'x-gzip'])(
  '%p takes gzip',
  (value) => expect(accepts(value)).toBe(true),
)

test.each(['', 'identity', 'br', 'gzip;q=0', 'gzip; q=0.000', 'notgzip', 'gzipped', '*;q=0'])('%p does not', (value) =>
  expect(accepts(value)).toBe(false),
)
