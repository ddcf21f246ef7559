import { describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { createMailbox } from '../../support/mail.ts'
import { startSkep, type TestSkep } from '../../support/skep.ts'
import { outsideOf } from '../../support/stack.ts'
import { until } from '../../support/until.ts'
import { type FileBody, MULTIPART, multipart, PNG, part, streamedUpload, upload } from '../../support/uploads.ts'

const skep = await startSkep({ MAX_UPLOAD_SIZE: '64kb' }, { mailer: createMailbox() })

const anything = await startSkep({ UPLOAD_TYPES: '*/*' }, { mailer: createMailbox() })

const rowsOf = async ({ dataDir }: TestSkep): Promise<readonly unknown[]> => (await outsideOf(dataDir)).files ?? []

const large = (size: number) => {
  const bytes = new Uint8Array(size)
  bytes.set(PNG)
  return bytes
}

const send = (server: TestSkep, token: string, body: Uint8Array<ArrayBuffer>, type = MULTIPART) =>
  server.call<FileBody>('POST', '/files/', { token, body, headers: { 'content-type': type } })

describe('uploading', () => {
  test('answers 201 with the file and its Location', async () => {
    const ann = await skep.member()
    const { status, headers, body } = await upload(skep.call, { token: ann.token })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/api/v1/files/${body.id}`)
    expect(body).toEqual({
      id: body.id,
      filename: 'picture.png',
      content_type: 'image/png',
      size: PNG.length,
      sha256: new Bun.CryptoHasher('sha256').update(PNG).digest('hex'),
      owner_id: ann.id,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      path: `/api/v1/files/${body.id}/content`,
    })
    expect((await skep.call('GET', `/files/${body.id}`, { token: ann.token })).body).toEqual({ ...body })
  })

  test('accepts the form that fetch sends', async () => {
    const { token } = await skep.member()
    const form = new FormData()
    form.set('file', new File([PNG], 'größe "1".png', { type: 'image/png' }))
    const response = await fetch(`${skep.url}/api/v1/files/`, {
      method: 'POST',
      body: form,
      headers: { authorization: `Bearer ${token}` },
    })
    expect([response.status, await response.json()]).toEqual([
      201,
      expect.objectContaining({ filename: 'größe "1".png' }),
    ])
  })

  test.each([
    ['../../../etc/passwd.png', 'passwd.png'],
    ['C:\\\\fakepath\\\\cat.png', 'cat.png'],
    ['naïve – 猫.png', 'naïve – 猫.png'],
    ['a%0D%0ASet-Cookie: x.png', 'aSet-Cookie: x.png'],
    ['say %22hi%22.png', 'say "hi".png'],
    [`${'x'.repeat(300)}.png`, 'x'.repeat(255)],
    ['.', 'file'],
    ['..', 'file'],
    ['a/..', 'file'],
    ['a/', 'file'],
    ['C:\\\\fakepath\\\\..', 'file'],
    ['...', 'file'],
  ])('keeps the name %s as %s, on no path of the disk', async (given, kept) => {
    const { token } = await skep.member()
    const { body } = await upload(skep.call, { token, filename: given })
    expect(body.filename).toBe(kept)
    for (const name of await skep.blobs()) expect(name).toMatch(/^[0-9a-f]{2}\/[0-9a-f]{32}$/)
    const { headers } = await skep.call('GET', `/files/${body.id}/content`, { token })
    const [, encoded = ''] =
      /; filename\*=UTF-8''([\w%.~!#$&+^`|-]+)$/.exec(headers.get('content-disposition') ?? '') ?? []
    expect(decodeURIComponent(encoded)).toBe(kept)
  })

  test.each<[string, Uint8Array | string]>([
    ['a page that calls itself a picture', '<!doctype html><script>alert(1)</script>'],
    ['a drawing that can run scripts', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'],
    ['another kind of picture', 'GIF89a\x01\0\x01\0\0\0\0;'],
    ['nothing', ''],
    ['the first bytes of a picture', PNG.subarray(0, 4)],
  ])('refuses %s, whatever its name and declared type say', async (_, content) => {
    const { token } = await skep.member()
    const before = (await skep.blobs()).length
    const { status, body } = await upload(skep.call, { token, content, filename: 'x.png', type: 'image/png' })
    expect([status, body.code, body.detail]).toEqual([400, 'invalid_file_type', 'Invalid file type'])
    expect(await skep.blobs()).toHaveLength(before)
  })

  test('UPLOAD_TYPES=*/* accepts everything, and still detects types by content', async () => {
    const { token } = await anything.member()
    const typeOf = async (content: Uint8Array | string) =>
      (await upload(anything.call, { token, content })).body.content_type
    expect(await typeOf(PNG)).toBe('image/png')
    expect(await typeOf('%PDF-1.7\n')).toBe('application/pdf')
    expect(await typeOf('<!doctype html><script>alert(1)</script>')).toBe('text/plain')
    expect(await typeOf('')).toBe('text/plain')
    expect(await typeOf(new Uint8Array([0, 1, 2, 3]))).toBe('application/octet-stream')
  })

  test('up to MAX_UPLOAD_SIZE; one byte more is 413 and leaves nothing', async () => {
    const { token } = await skep.member()
    expect((await upload(skep.call, { token, content: large(65_536) })).status).toBe(201)
    const before = (await skep.blobs()).length
    const { status, body } = await upload(skep.call, { token, content: large(65_537) })
    expect([status, body.code]).toEqual([413, 'payload_too_large'])
    expect(await skep.blobs()).toHaveLength(before)
  })

  test('refuses a body of unknown length as soon as it is too large', async () => {
    const { token } = await skep.member()
    const before = (await skep.blobs()).length
    const body = streamedUpload(1_000_000, large(10_000))
    const answer = await skep.call<FileBody>('POST', '/files/', { token, body, headers: { 'content-type': MULTIPART } })
    expect([answer.status, answer.body.code]).toEqual([413, 'payload_too_large'])
    expect(await skep.blobs()).toHaveLength(before)
  })

  test.each<[string, Uint8Array<ArrayBuffer>]>([
    ['no part', multipart()],
    ['a text where the file should be', multipart(part('name="file"', 'hello', 'text/plain'))],
    ['a file under another name', multipart(part('name="other"; filename="x.png"', PNG))],
    ['a field in which no file was chosen', multipart(part('name="file"; filename=""', ''))],
    ['two files', multipart(part('name="file"; filename="1.png"', PNG), part('name="file"; filename="2.png"', PNG))],
    [
      'a field before the file',
      multipart(part('name="note"', 'x', 'text/plain'), part('name="file"; filename="x"', PNG)),
    ],
    [
      'a field after the file',
      multipart(part('name="file"; filename="x"', PNG), part('name="note"', 'x', 'text/plain')),
    ],
  ])('%s is 422 and leaves nothing', async (_, body) => {
    const { token } = await skep.member()
    const before = (await skep.blobs()).length
    const answer = await send(skep, token, body)
    expect([answer.status, answer.body.code]).toEqual([422, 'validation_failed'])
    expect(answer.body).toMatchObject({ errors: [{ in: 'body', pointer: '/file' }] })
    expect(await skep.blobs()).toHaveLength(before)
  })

  test.each<[string, number, string, Uint8Array<ArrayBuffer>, string]>([
    ['another media type', 415, 'unsupported_media_type', PNG, 'image/png'],
    ['JSON', 415, 'unsupported_media_type', new Uint8Array(Buffer.from('{}')), 'application/json'],
    ['no boundary', 400, 'malformed_body', multipart(part('name="file"; filename="x"', PNG)), 'multipart/form-data'],
    ['another boundary', 400, 'malformed_body', multipart(), 'multipart/form-data; boundary=other'],
    ['no end', 400, 'malformed_body', new Uint8Array(part('name="file"; filename="x"', PNG)), MULTIPART],
    [
      'headers without an end',
      400,
      'malformed_body',
      new Uint8Array(part('name="file"', '').subarray(0, 40)),
      MULTIPART,
    ],
    ['nothing at all', 400, 'malformed_body', new Uint8Array(), MULTIPART],
  ])('%s is %i', async (_, status, code, body, type) => {
    const { token } = await skep.member()
    const before = (await skep.blobs()).length
    const answer = await send(skep, token, body, type)
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(await skep.blobs()).toHaveLength(before)
  })

  test('requires a sign-in, and no body is read without one', async () => {
    const answers = [await upload(skep.call), await upload(skep.call, { token: 'nonsense', content: large(100_000) })]
    expect(answers.map(({ status }) => status)).toEqual([401, 401])
  })

  test('of an endless body gets its response before the end', async () => {
    const { token } = await skep.member()
    const { hostname, port } = new URL(skep.url)
    const socket = connect(Number(port), hostname)
    const answered = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString('latin1'))))
    const head = `POST /api/v1/files/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${MULTIPART}\r\nContent-Length: 60000\r\n\r\n`
    socket.write(head)
    socket.write(part('name="file"; filename="x.png"', 'GIF89a'.padEnd(50_000)))
    expect(await answered).toStartWith('HTTP/1.1 400 ')
    socket.destroy()
  })

  /** More than any store keeps to itself, and less than may be sent. */
  const HALF = 9 * 1_048_576

  test.each([
    ['Content-Length: 10000000', ''],
    ['Transfer-Encoding: chunked', `${HALF.toString(16)}\r\n`],
  ])('that is aborted half-way (%s) leaves no file and no row', async (framing, chunk) => {
    const { token } = await anything.member()
    const [blobs, rows] = [(await anything.blobs()).length, (await rowsOf(anything)).length]
    const { hostname, port } = new URL(anything.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST /api/v1/files/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${MULTIPART}\r\n${framing}\r\n\r\n`,
    )
    const half = Buffer.concat([part('name="file"; filename="x.png"', PNG).subarray(0, -2), Buffer.alloc(HALF)])
    socket.write(Buffer.concat([Buffer.from(chunk), half.subarray(0, HALF), Buffer.from(chunk === '' ? '' : '\r\n')]))
    await until(async () => (await anything.blobs()).length === blobs + 1)
    expect((await anything.blobs()).filter((name) => name.endsWith('.part'))).toHaveLength(1)
    socket.destroy()
    await until(async () => (await anything.blobs()).length === blobs)
    expect(await rowsOf(anything)).toHaveLength(rows)
  })

  test('is 429 while one has sixteen under way, and nobody else is delayed', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    const gate = Promise.withResolvers<void>()
    const file = multipart(part('name="file"; filename="x.png"', PNG))
    const slow = () =>
      new ReadableStream({
        async start(controller) {
          controller.enqueue(file.subarray(0, 100))
          await gate.promise
          controller.enqueue(file.subarray(100))
          controller.close()
        },
      })
    const headers = { 'content-type': MULTIPART }
    const begin = () => skep.call<FileBody>('POST', '/files/', { token: ann.token, body: slow(), headers })
    const all = Array.from({ length: 17 }, begin)
    const refused = await Promise.race(all)
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([
      429,
      'too_many_requests',
      '1',
    ])
    expect((await upload(skep.call, bob)).status).toBe(201)
    gate.resolve()
    expect((await Promise.all(all)).filter(({ status }) => status === 201)).toHaveLength(16)
    expect((await upload(skep.call, ann)).status).toBe(201)
  })

  test('under one Idempotency-Key happens once, and only one of the blobs stays', async () => {
    const { token } = await skep.member()
    const headers = { 'idempotency-key': 'once' }
    const [blobs, rows] = [(await skep.blobs()).length, (await rowsOf(skep)).length]
    const first = await upload(skep.call, { token, headers })
    const again = await upload(skep.call, { token, headers })
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body])
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    const other = await upload(skep.call, { token, headers, filename: 'other.png' })
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch'])
    expect([(await skep.blobs()).length - blobs, (await rowsOf(skep)).length - rows]).toEqual([1, 1])
  })
})
