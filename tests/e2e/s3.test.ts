import { describe, expect, test } from 'bun:test'
import { folder, run, type Server, serve } from '../support/process.ts'
import { HAS_S3, newS3Settings, S3_NEEDED, s3Endpoint } from '../support/s3.ts'
import { startS3Proxy } from '../support/s3-proxy.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { type FileBody, MULTIPART, streamedUpload, upload } from '../support/uploads.ts'

const BYTES_PER_MB = 1_048_576
const ANYTHING = { UPLOAD_TYPES: '*/*', MAX_UPLOAD_SIZE: '100mb' }

const tokenOf = async ({ call }: Server) => {
  const account = { email: 'ann@example.com', name: 'Ann', password: 'correct horse' }
  await call('POST', '/users/', { json: account })
  const form = { username: account.email, password: account.password }
  return (await call<{ access_token: string }>('POST', '/auth/token', { form })).body.access_token
}

const sendLarge = async ({ call }: Server, token: string, size: number) => {
  const body = streamedUpload(size, new Uint8Array(64 * 1_024).fill(7))
  return (await call<FileBody>('POST', '/files/', { token, body, headers: { 'content-type': MULTIPART } })).body
}

describe.skipIf(!HAS_S3)(`files on S3${S3_NEEDED}`, () => {
  const wrongPlaces: readonly (readonly [string, () => Record<string, string>, string])[] = [
    [
      'a bucket that is not there',
      () => ({ FILES_URL: newS3Settings().FILES_URL?.replace('skep-test', 'no-such-bucket') ?? '' }),
      '404 NoSuchBucket',
    ],
    ['a wrong key', () => ({ AWS_SECRET_ACCESS_KEY: 'hunter2' }), '403 SignatureDoesNotMatch'],
    ['an endpoint where nobody listens', () => newS3Settings('http://127.0.0.1:1'), 'skep-test'],
  ]

  test.each(wrongPlaces)('%s ends serve with 1 and one line', async (_, wrong, why) => {
    using home = folder()
    const env = { ...newS3Settings(), ...wrong() }
    const { code, stderr } = await run(['serve', '--port', '0'], { cwd: home.path, env })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^skep: cannot use the bucket \S+ of FILES_URL: .+\n$/)
    expect(stderr).toContain(why)
    expect(stderr).not.toContain('hunter2')
  })

  test('while S3 is gone the server is not ready, refuses with 503 and Retry-After, and goes on when it is back', async () => {
    using home = folder()
    await using proxy = await startTcpProxy(s3Endpoint())
    await using skep = await serve({ cwd: home.path, env: newS3Settings(proxy.url) })
    const token = await tokenOf(skep)
    const { body: file } = await upload(skep.call, { token })
    const content = () => skep.call('GET', `/files/${file.id}/content`, { token })
    expect((await content()).headers.get('content-length')).toBe(String(file.size))

    proxy.cut()
    for (const answer of [await upload(skep.call, { token }), await content()]) {
      expect([answer.status, answer.body.code]).toEqual([503, 'unavailable'])
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|skep-test/)
    }
    const ready = () => skep.call<{ checks: Record<string, string> }>('GET', '//health/ready')
    expect(await ready()).toMatchObject({ status: 503, body: { checks: { files: 'failed', database: 'ok' } } })
    await skep.stdout.match(/"refused"[^\n]*"unavailable"[^\n]*clos[\s\S]*"refused"[^\n]*"unavailable"[^\n]*clos/)

    proxy.mend()
    expect((await content()).status).toBe(200)
  })

  test('a download that S3 breaks off is broken off, and the log says so', async () => {
    using home = folder()
    await using proxy = await startTcpProxy(s3Endpoint())
    await using skep = await serve({ cwd: home.path, env: { ...newS3Settings(proxy.url), ...ANYTHING } })
    const token = await tokenOf(skep)
    const { path } = await sendLarge(skep, token, 64 * BYTES_PER_MB)
    const response = await fetch(skep.url + path, { headers: { authorization: `Bearer ${token}` } })
    expect(response.status).toBe(200)
    const reader = response.body?.getReader()
    let seen = (await reader?.read())?.value?.byteLength ?? 0
    proxy.cut()
    const rest = async () => {
      for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
        seen += next.value.byteLength
      }
    }
    await expect(rest()).rejects.toThrow(/closed|reset/i)
    expect(seen).toBeLessThan(64 * BYTES_PER_MB)
    await skep.stdout.match(/a download was interrupted/)
    expect(skep.stderr.text()).toBe('')
  })

  test('whoever leaves a download ends the request to S3', async () => {
    using home = folder()
    await using proxy = startS3Proxy(s3Endpoint())
    await using skep = await serve({ cwd: home.path, env: { ...newS3Settings(proxy.url), ...ANYTHING } })
    const token = await tokenOf(skep)
    const { path } = await sendLarge(skep, token, 64 * BYTES_PER_MB)
    const leaving = new AbortController()
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(skep.url + path, { headers, signal: leaving.signal })
    await response.body?.getReader().read()
    leaving.abort()
    await proxy.left
    expect((await skep.call('GET', '//health')).status).toBe(200)
  })

  test('parts, conditions and HEAD are answered as from a disk', async () => {
    using home = folder()
    await using proxy = startS3Proxy(s3Endpoint())
    await using skep = await serve({ cwd: home.path, env: { ...newS3Settings(proxy.url), ...ANYTHING } })
    const token = await tokenOf(skep)
    const file = await sendLarge(skep, token, 10 * BYTES_PER_MB + 5)
    const ask = (method: string, headers: Record<string, string>) =>
      fetch(skep.url + file.path, { method, headers: { authorization: `Bearer ${token}`, ...headers } })
    const before = proxy.requests.length
    const head = await ask('HEAD', {})
    expect(proxy.requests.slice(before)).toEqual([expect.stringMatching(/^HEAD /)])
    expect([head.status, head.headers.get('content-length'), head.headers.get('content-type')]).toEqual([
      200,
      String(file.size),
      'text/plain; charset=utf-8',
    ])
    const large = await ask('GET', { range: `bytes=${3 * BYTES_PER_MB}-` })
    expect([large.status, (await large.bytes()).byteLength]).toEqual([206, file.size - 3 * BYTES_PER_MB])
    const last = await ask('GET', { range: 'bytes=-5', 'if-range': `"${file.sha256}"` })
    expect([last.status, last.headers.get('content-range'), last.headers.get('content-length')]).toEqual([
      206,
      `bytes ${file.size - 5}-${file.size - 1}/${file.size}`,
      '5',
    ])
    expect((await last.bytes()).toHex()).toBe('07'.repeat(5))
    expect((await ask('GET', { 'if-none-match': `"${file.sha256}"` })).status).toBe(304)
    expect((await ask('GET', { range: `bytes=${file.size}-` })).status).toBe(416)
  })

  test('config shows where they are, and no keys', async () => {
    using home = folder()
    const env = newS3Settings()
    const { code, stdout } = await run(['config'], { cwd: home.path, env: { ...env, AWS_SESSION_TOKEN: 'hunter2' } })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^FILES_URL=s3:\/\/skep-test\/\S+\?endpoint=http:\S+&region=us-east-1\S+ {2}# environment$/m)
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
      expect(stdout).toContain(`${name}=***`)
    }
    for (const secret of [env.AWS_SECRET_ACCESS_KEY ?? '', 'hunter2']) expect(stdout).not.toContain(secret)
  })
})
