import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { blobStoreContract, entriesOf, piecesOf, UNFINISHED_UPLOAD_BYTES } from '../../contracts/blob-store.ts'
import { HAS_S3, newS3Settings, openTestS3, S3_NEEDED, s3Endpoint } from '../../support/s3.ts'
import { startS3Proxy } from '../../support/s3-proxy.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'

setDefaultTimeout(60_000)

const BYTES_PER_MB = 1_048_576

/** So many bytes in pieces, each with its number at its beginning. */
const numbered = async function* (size: number, piece = 64 * 1_024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += piece) {
    const bytes = new Uint8Array(Math.min(piece, size - at))
    new DataView(bytes.buffer).setUint32(0, at)
    yield bytes
  }
}

const digest = async (body: AsyncIterable<Uint8Array>) => {
  const hash = new Bun.CryptoHasher('sha256')
  for await (const bytes of body) hash.update(bytes)
  return hash.digest('hex')
}

const streamOf = (bytes: Blob | ReadableStream<Uint8Array> | null): ReadableStream<Uint8Array> => {
  if (!(bytes instanceof ReadableStream)) throw new Error('no stream')
  return bytes
}

describe.skipIf(!HAS_S3)(`S3${S3_NEEDED}`, () => {
  blobStoreContract('S3', async () => openTestS3().store)

  test('memory does not grow with what is written or read', async () => {
    const { store } = openTestS3()
    const size = 192 * BYTES_PER_MB
    let before = 0
    let most = 0
    const watched = async function* (source: AsyncIterable<Uint8Array>) {
      let seen = 0
      let lookAt = 0
      for await (const bytes of source) {
        yield bytes
        seen += bytes.byteLength
        if (seen < lookAt) continue
        lookAt = seen + 16 * BYTES_PER_MB
        // As the HTTP adapter does: the engine does not see what pieces hold.
        Bun.gc(true)
        if (seen <= size / 3) before = Math.max(before, process.memoryUsage.rss())
        else most = Math.max(most, process.memoryUsage.rss())
      }
    }
    const written = await store.write(watched(numbered(size)))
    expect(written.size).toBe(size)
    expect((most - before) / BYTES_PER_MB).toBeLessThan(64)

    ;[before, most] = [0, 0]
    const read = streamOf(await store.read(written.key, 0, size))
    expect(await digest(watched(read))).toBe(written.sha256)
    expect((most - before) / BYTES_PER_MB).toBeLessThan(64)
  })

  test('a reader who does not read on buffers only a part of it', async () => {
    await using proxy = await startTcpProxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    const size = 100 * BYTES_PER_MB
    const { key } = await store.write(numbered(size))
    const reader = streamOf(await store.read(key, 0, size)).getReader()
    await reader.read()
    // As long as another takes to read all of it.
    const before = proxy.receivedBytes()
    for await (const _ of streamOf(await store.read(key, 0, size)));
    expect((proxy.receivedBytes() - before - size) / BYTES_PER_MB).toBeLessThan(40)
    await reader.cancel()
  })

  test('a body that fails after some parts leaves neither an object nor an unfinished upload', async () => {
    const { store, s3, place } = openTestS3()
    const failure = new Error('the client is gone')
    const failing = async function* () {
      yield* numbered(3 * UNFINISHED_UPLOAD_BYTES)
      expect((await entriesOf(store)).map(({ key }) => key)).toEqual([expect.stringMatching(/\.part$/)])
      throw failure
    }
    await expect(store.write(failing())).rejects.toBe(failure)
    expect(await entriesOf(store)).toEqual([])
    const { text } = await s3.send({ method: 'GET', query: { uploads: '' } })
    expect(text).not.toContain(`<Key>${place.prefix}`)
  })

  test('objects are kept as they were written, whatever the size of their last part', async () => {
    const { store } = openTestS3()
    for (const size of [8 * BYTES_PER_MB, 8 * BYTES_PER_MB + 1, 16 * BYTES_PER_MB]) {
      const { key, sha256 } = await store.write(numbered(size, 1_000_000))
      expect(await digest(streamOf(await store.read(key, 0, size)))).toBe(sha256)
    }
  })

  test('more than a page of them is listed, and nothing of other places', async () => {
    const { store } = openTestS3()
    await openTestS3().store.write(piecesOf('not here'))
    const keys: string[] = []
    for (let round = 0; round < 21; round++) {
      const written = await Promise.all(Array.from({ length: 50 }, () => store.write(piecesOf('x'))))
      keys.push(...written.map(({ key }) => key))
    }
    const listed = (await entriesOf(store)).map(({ key }) => key)
    expect(listed.length).toBe(1_050)
    expect(listed.sort()).toEqual(keys.sort())
  })

  test('requests to a busy S3 are retried', async () => {
    await using proxy = startS3Proxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    proxy.refuse(2, 503, 'SlowDown')
    const { key } = await store.write(piecesOf('hello'))
    proxy.refuse(2, 500, 'InternalError')
    expect(await new Response(await store.read(key, 0, 5)).text()).toBe('hello')
    proxy.refuse(2, 503, 'SlowDown')
    await store.delete(key)
    expect(proxy.requests).toHaveLength(9)
  })

  test('an S3 that stays busy is unavailable, after a few attempts', async () => {
    await using proxy = startS3Proxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    proxy.refuse(1_000, 503, 'SlowDown')
    await expect(store.read(`00/${'0'.repeat(32)}`, 0, 5)).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterSeconds: 5,
      cause: { message: 'S3 answered GET 503 SlowDown' },
    })
    expect(proxy.requests).toHaveLength(3)
    await expect(store.write(piecesOf('hello'))).rejects.toMatchObject({ code: 'unavailable' })
    await expect(entriesOf(store)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(store.ping()).rejects.toThrow('503')
  })

  test('an S3 without space is storage_full, and is not retried', async () => {
    await using proxy = startS3Proxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    proxy.refuse(1, 403, 'QuotaExceeded')
    await expect(store.write(piecesOf('hello'))).rejects.toMatchObject({ code: 'storage_full' })
    expect(proxy.requests.map((request) => request.split(' ')[0])).toEqual(['PUT', 'DELETE'])
  })

  test('wrong keys are logged for operators, and callers get unavailable', async () => {
    const { store } = openTestS3(newS3Settings(), { secretAccessKey: 'wrong' })
    await expect(store.prepare()).rejects.toThrow(
      /^cannot use the bucket skep-test of FILES_URL: .*403 SignatureDoesNot/,
    )
    await expect(store.ping()).rejects.toThrow('403')
    await expect(store.write(piecesOf('hello'))).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 60 })
  })

  test('a missing bucket is logged for operators', async () => {
    const settings = newS3Settings()
    const FILES_URL = (settings.FILES_URL ?? '').replace('skep-test', 'no-such-bucket')
    const { store } = openTestS3({ ...settings, FILES_URL })
    await expect(store.prepare()).rejects.toThrow('no-such-bucket of FILES_URL: S3 answered GET 404 NoSuchBucket')
    await expect(store.ping()).rejects.toThrow('404')
  })

  test('a ping asks the bucket once, however many ask', async () => {
    await using proxy = startS3Proxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    await Promise.all(Array.from({ length: 20 }, store.ping))
    expect(proxy.requests).toHaveLength(1)
  })

  test('what is unfinished is found though S3 lists none by a prefix, if the bucket may be seen', async () => {
    await using proxy = startS3Proxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    const none = '<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>'
    const listed = async (ofBucket: Response | null) => {
      proxy.answer((request) => {
        if (!request.includes('uploads=&')) return null
        return request.endsWith('prefix=') ? ofBucket : new Response(none)
      })
      return (await entriesOf(store)).map(({ key }) => key)
    }
    const failure = new Error('the client is gone')
    const failing = async function* () {
      yield* numbered(3 * UNFINISHED_UPLOAD_BYTES)
      expect(await listed(null)).toEqual([expect.stringMatching(/\.part$/)])
      expect(await listed(new Response('<Error><Code>AccessDenied</Code></Error>', { status: 403 }))).toEqual([])
      throw failure
    }
    await expect(store.write(failing())).rejects.toBe(failure)
  })

  test('an upload that S3 is lost in fails, and the sweep can take what it left', async () => {
    await using proxy = await startTcpProxy(s3Endpoint())
    const settings = newS3Settings(proxy.url)
    const { store, log } = openTestS3(settings)
    const cut = async function* () {
      yield* numbered(UNFINISHED_UPLOAD_BYTES)
      proxy.cut()
      yield* numbered(UNFINISHED_UPLOAD_BYTES)
    }
    await expect(store.write(cut())).rejects.toMatchObject({ code: 'unavailable' })
    expect(log.entries.map(({ message }) => message)).toEqual(['a failed upload is left to the sweep'])
    proxy.mend()
    const [left] = await entriesOf(store)
    expect(left?.key).toEndWith('.part')
    await store.delete(left?.key ?? '')
    expect(await entriesOf(store)).toEqual([])
  })

  test('a completed upload whose answer was lost is done', async () => {
    await using proxy = startS3Proxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    proxy.stopAnswering((request) => request.startsWith('POST') && request.includes('uploadId'))
    const { key, size, sha256 } = await store.write(numbered(UNFINISHED_UPLOAD_BYTES))
    expect(await digest(streamOf(await store.read(key, 0, size)))).toBe(sha256)
  })

  test('an interrupted download is resumed', async () => {
    await using proxy = await startTcpProxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    const size = 60 * BYTES_PER_MB
    const { key, sha256 } = await store.write(numbered(size))
    let cuts = 0
    const broken = async function* (source: AsyncIterable<Uint8Array>) {
      let seen = 0
      for await (const bytes of source) {
        yield bytes
        seen += bytes.byteLength
        if (seen < (cuts + 1) * 10 * BYTES_PER_MB) continue
        cuts++
        proxy.cut()
        proxy.mend()
      }
    }
    expect(await digest(broken(streamOf(await store.read(key, 0, size))))).toBe(sha256)
    expect(cuts).toBeGreaterThan(3)
  })

  test('a download whose S3 is gone fails, and does not just end', async () => {
    await using proxy = await startTcpProxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    const size = 60 * BYTES_PER_MB
    const { key } = await store.write(numbered(size))
    const reader = streamOf(await store.read(key, 0, size)).getReader()
    let seen = (await reader.read()).value?.byteLength ?? 0
    proxy.cut()
    const rest = async () => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) seen += next.value.byteLength
    }
    await expect(rest()).rejects.toMatchObject({ code: 'unavailable' })
    expect(seen).toBeLessThan(size)
  })

  test('a reader that stops ends the request to S3', async () => {
    await using proxy = startS3Proxy(s3Endpoint())
    const { store } = openTestS3(newS3Settings(proxy.url))
    const { key, size } = await store.write(numbered(100 * BYTES_PER_MB))
    const reader = streamOf(await store.read(key, 0, size)).getReader()
    await reader.read()
    await reader.cancel()
    await proxy.left
  })
})
