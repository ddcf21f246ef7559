import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { folder, residentMemory, serve } from '../support/process.ts'
import { type FileBody, MULTIPART, streamedUpload } from '../support/uploads.ts'

const BYTES_PER_MB = 1_048_576

test.skipIf(!existsSync('/proc/self/status'))(
  'uploading and downloading 256 MiB moves the memory of the process by less than 64 MiB',
  async () => {
    using home = folder()
    await using skep = await serve({
      cwd: home.path,
      env: { MAX_UPLOAD_SIZE: '300mb', UPLOAD_TYPES: '*/*', LOG_LEVEL: 'warn' },
    })
    const account = { email: 'ann@example.com', name: 'Ann', password: 'correct horse' }
    await skep.call('POST', '/users/', { json: account })
    const signedIn = await skep.call<{ access_token: string }>('POST', '/auth/token', {
      form: { username: account.email, password: account.password },
    })
    const token = signedIn.body.access_token
    const piece = crypto.getRandomValues(new Uint8Array(64 * 1_024))
    const send = async (size: number) => {
      const answer = await skep.call<FileBody>('POST', '/files/', {
        token,
        body: streamedUpload(size, piece),
        headers: { 'content-type': MULTIPART },
      })
      expect([answer.status, answer.body.size]).toEqual([201, size])
      return answer.body
    }
    const receive = async ({ path }: FileBody) => {
      const response = await fetch(skep.url + path, { headers: { authorization: `Bearer ${token}` } })
      const hash = new Bun.CryptoHasher('sha256')
      for await (const bytes of response.body ?? []) hash.update(bytes)
      return hash.digest('hex')
    }
    let peak = 0
    const watch = setInterval(() => {
      peak = Math.max(peak, residentMemory(skep.pid))
    }, 5)
    try {
      // Code that runs for the first time, and what the engine keeps for the next time, take memory whatever the size.
      await receive(await send(16 * BYTES_PER_MB))
      const before = residentMemory(skep.pid)
      peak = before
      const file = await send(256 * BYTES_PER_MB)
      expect(await receive(file)).toBe(file.sha256)
      expect(peak - before).toBeLessThan(64 * BYTES_PER_MB)
    } finally {
      clearInterval(watch)
    }
  },
  30_000,
)
