import { describe, expect, test } from 'bun:test'
import { startSkep } from '../../support/skep.ts'
import { PNG, upload } from '../../support/uploads.ts'

const skep = await startSkep({ UPLOAD_TYPES: '*/*' })
const { token } = await skep.member()
const TEXT = '0123456789'
const { body: file } = await upload(skep.call, { token, content: TEXT, filename: 'digits.txt' })
const { body: picture } = await upload(skep.call, { token })
const ETAG = `"${file.sha256}"`

const get = async (headers: Readonly<Record<string, string>> = {}, method = 'GET', path = file.path) => {
  const response = await fetch(skep.url + path, { method, headers: { authorization: `Bearer ${token}`, ...headers } })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

test('the whole comes with its length, its tag and its type', async () => {
  const { status, headers, text } = await get()
  expect([status, text]).toEqual([200, TEXT])
  expect(headers.get('content-length')).toBe('10')
  expect(headers.get('etag')).toBe(ETAG)
  expect(headers.get('content-type')).toBe('text/plain; charset=utf-8')
  expect(headers.get('accept-ranges')).toBe('bytes')
})

test('nothing in it can run in the server’s origin', async () => {
  for (const path of [file.path, picture.path]) {
    const { headers } = await get({}, 'GET', path)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toBe("sandbox; default-src 'none'")
    expect(headers.get('cache-control')).toContain('private')
  }
})

test('only safe images are inline; everything else is an attachment', async () => {
  expect((await get()).headers.get('content-disposition')).toBe(
    `attachment; filename="digits.txt"; filename*=UTF-8''digits.txt`,
  )
  expect((await get({}, 'GET', picture.path)).headers.get('content-disposition')).toStartWith('inline; ')
})

test('HEAD has the headers of GET, without a body', async () => {
  const [got, head] = [await get(), await get({}, 'HEAD')]
  expect([head.status, head.text]).toEqual([200, ''])
  for (const name of [
    'content-length',
    'etag',
    'content-type',
    'content-disposition',
    'accept-ranges',
    'cache-control',
  ]) {
    expect([name, head.headers.get(name)]).toEqual([name, got.headers.get(name)])
  }
})

describe('a part', () => {
  test.each([
    ['bytes=0-3', '0123', 'bytes 0-3/10'],
    ['bytes=4-', '456789', 'bytes 4-9/10'],
    ['bytes=-2', '89', 'bytes 8-9/10'],
    ['bytes=9-9', '9', 'bytes 9-9/10'],
    ['bytes=0-99', TEXT, 'bytes 0-9/10'],
  ])('%s is %s', async (range, expected, contentRange) => {
    const { status, headers, text } = await get({ range })
    expect([status, text]).toEqual([206, expected])
    expect(headers.get('content-range')).toBe(contentRange)
    expect(headers.get('content-length')).toBe(String(expected.length))
    expect(headers.get('etag')).toBe(ETAG)
  })

  test.each(['bytes=10-', 'bytes=-0', 'bytes=50-60'])('%s is 416', async (range) => {
    const { status, headers, text } = await get({ range })
    expect([status, headers.get('content-range'), JSON.parse(text).code]).toEqual([
      416,
      'bytes */10',
      'range_not_satisfiable',
    ])
  })

  test.each(['bytes=0-1,3-4', 'bytes=3-1', 'bytes=x', 'items=0-3'])('%s is the whole', async (range) => {
    const { status, headers, text } = await get({ range })
    expect([status, text, headers.get('content-range')]).toEqual([200, TEXT, null])
  })

  test('is for GET: HEAD describes the whole (RFC 9110 section 14.2)', async () => {
    const { status, headers } = await get({ range: 'bytes=0-3' }, 'HEAD')
    expect([status, headers.get('content-length'), headers.get('content-range')]).toEqual([200, '10', null])
  })

  test.each([
    [ETAG, 206],
    ['"another"', 200],
    [`W/${ETAG}`, 200],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 200],
  ])('with If-Range %s is %i', async (condition, status) => {
    const answer = await get({ range: 'bytes=0-3', 'if-range': condition })
    expect([answer.status, answer.text]).toEqual([status, status === 206 ? '0123' : TEXT])
  })

  test('that does not exist is the whole when If-Range names another content', async () => {
    expect((await get({ range: 'bytes=50-', 'if-range': '"another"' })).status).toBe(200)
  })
})

test.each([
  [ETAG, 304],
  [`W/${ETAG}`, 304],
  [`"another", ${ETAG}`, 304],
  ['*', 304],
  ['"another"', 200],
])('If-None-Match %s is %i, with or without a range', async (tags, status) => {
  for (const method of ['GET', 'HEAD']) {
    const answer = await get({ 'if-none-match': tags }, method)
    expect([method, answer.status, answer.headers.get('etag')]).toEqual([method, status, ETAG])
  }
  const ranged = await get({ 'if-none-match': tags, range: 'bytes=0-3' })
  expect(ranged.status).toBe(status === 304 ? 304 : 206)
})

test('an empty file has content too, and no part', async () => {
  const { body } = await upload(skep.call, { token, content: '' })
  const whole = await get({}, 'GET', body.path)
  expect([whole.status, whole.text, whole.headers.get('content-length')]).toEqual([200, '', '0'])
  expect((await get({ range: 'bytes=0-' }, 'GET', body.path)).status).toBe(416)
  expect((await get({ range: 'bytes=-5' }, 'GET', body.path)).status).toBe(200)
})

test('large parts come whole', async () => {
  const content = crypto.getRandomValues(new Uint8Array(3_000_000))
  const { body } = await upload(skep.call, { token, content })
  const headers = { authorization: `Bearer ${token}`, range: 'bytes=1000000-2999998' }
  const response = await fetch(skep.url + body.path, { headers })
  expect(await response.bytes()).toEqual(content.subarray(1_000_000, 2_999_999))
  expect(PNG.length).toBe(picture.size)
})
