import { describe, expect, test } from 'bun:test'
import type { BlobEntry, BlobStore } from '../../src/application/ports/blobs.ts'
import type { MovableBlobs } from '../../src/application/ports/transfer.ts'

export const piecesOf = async function* (...pieces: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece
    yield Buffer.from(piece)
  }
}

export const entriesOf = async (store: BlobStore): Promise<readonly BlobEntry[]> => Array.fromAsync(store.list())

/** So many bytes, and no store still keeps them to itself. */
export const UNFINISHED_UPLOAD_BYTES = 12 * 1_048_576

/** What every blob store promises. */
export const blobStoreContract = (engine: string, open: () => Promise<MovableBlobs>) => {
  describe(`the blob store of ${engine}`, () => {
    const read = async (store: BlobStore, key: string, first = 0, end = 1_000) => {
      const bytes = await store.read(key, first, end)
      return bytes === null ? null : await new Response(bytes).text()
    }

    test('returns what was written, with its size and SHA-256', async () => {
      const store = await open()
      const { key, size, sha256 } = await store.write(piecesOf('hello ', 'world'))
      expect(await read(store, key, 0, size)).toBe('hello world')
      expect({ size, sha256 }).toEqual({
        size: 11,
        sha256: new Bun.CryptoHasher('sha256').update('hello world').digest('hex'),
      })
    })

    test('reads any range', async () => {
      const store = await open()
      const { key } = await store.write(piecesOf('0123456789'))
      expect(await read(store, key, 0, 10)).toBe('0123456789')
      expect(await read(store, key, 2, 5)).toBe('234')
      expect(await read(store, key, 9, 10)).toBe('9')
      expect(await read(store, key, 0, 0)).toBe('')
    })

    test('stores empty content as an empty blob', async () => {
      const store = await open()
      const { key, size } = await store.write(piecesOf())
      expect([size, await read(store, key, 0, 0)]).toEqual([0, ''])
    })

    test('generates a random key for each write, whatever its bytes', async () => {
      const store = await open()
      const written = await Promise.all(Array.from({ length: 20 }, () => store.write(piecesOf('same'))))
      const keys = written.map(({ key }) => key)
      expect(new Set(keys).size).toBe(20)
      for (const key of keys) expect(key).toMatch(/^([0-9a-f]{2})\/\1[0-9a-f]{30}$/)
    })

    test('stores nothing of a body that fails, and rejects with its error', async () => {
      const store = await open()
      const failure = new Error('the client is gone')
      await expect(store.write(piecesOf('hello', failure))).rejects.toBe(failure)
      expect(await entriesOf(store)).toEqual([])
    })

    test('lists all blobs, with the time they were written', async () => {
      const store = await open()
      const before = Date.now()
      const keys = [await store.write(piecesOf('a')), await store.write(piecesOf('b'))].map(({ key }) => key)
      const entries = await entriesOf(store)
      expect(entries.map(({ key }) => key).sort()).toEqual(keys.sort())
      for (const { modifiedAt } of entries) expect(Math.abs(modifiedAt - before)).toBeLessThan(60_000)
    })

    test('lists unfinished blobs too, and can delete them', async () => {
      const store = await open()
      const begun = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const writing = store.write(
        (async function* () {
          yield new Uint8Array(UNFINISHED_UPLOAD_BYTES)
          begun.resolve()
          await goOn.promise
          throw new Error('no')
        })(),
      )
      await begun.promise
      const [entry] = await entriesOf(store)
      await store.delete(entry?.key ?? '')
      expect(await entriesOf(store)).toEqual([])
      goOn.resolve()
      await expect(writing).rejects.toThrow('no')
    })

    test('deletes a blob, and ignores a missing one', async () => {
      const store = await open()
      const { key } = await store.write(piecesOf('hello'))
      await store.delete(key)
      await store.delete(key)
      expect([await read(store, key, 0, 5), await read(store, key, 0, 0)]).toEqual([null, null])
      expect(await entriesOf(store)).toEqual([])
    })

    test('stores bytes under a key of another store, and replaces an existing blob', async () => {
      const [one, other] = [await open(), await open()]
      const { key } = await one.write(piecesOf('hello'))
      expect([await one.size(key), await other.size(key)]).toEqual([5, null])
      expect(await other.put(key, piecesOf('wrong'))).toMatchObject({ key, size: 5 })
      expect(await other.put(key, piecesOf('hello ', 'world'))).toMatchObject({ key, size: 11 })
      expect([await other.size(key), await read(other, key, 0, 11)]).toEqual([11, 'hello world'])
      expect((await entriesOf(other)).map((entry) => entry.key)).toEqual([key])
    })

    test('keeps the existing blob if its replacement fails', async () => {
      const store = await open()
      const { key } = await store.write(piecesOf('hello'))
      const failure = new Error('broken')
      await expect(store.put(key, piecesOf('other', failure))).rejects.toBe(failure)
      expect(await read(store, key, 0, 5)).toBe('hello')
      expect((await entriesOf(store)).map((entry) => entry.key)).toEqual([key])
    })

    test('accepts no key of an unfinished blob', async () => {
      const store = await open()
      const { key } = await store.write(piecesOf('hello'))
      await expect(store.put(`${key}.part`, piecesOf('x'))).rejects.toThrow('not a key')
    })

    test.each(['../secret', 'ab/../../secret', '/etc/passwd', 'ab/cd', 'AB/abcdef', '', 'ab/ab\0'])(
      'a malformed key, %j, finds no blob',
      async (key) => {
        const store = await open()
        await expect(store.read(key, 0, 1)).rejects.toThrow('not a key')
        await expect(store.delete(key)).rejects.toThrow('not a key')
        await expect(store.size(key)).rejects.toThrow('not a key')
        await expect(store.put(key, piecesOf('x'))).rejects.toThrow('not a key')
      },
    )
  })
}
