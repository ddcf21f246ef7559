import { Readable, pipeline } from 'node:stream'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { createTarDecoder, createTarPacker } from 'modern-tar'
import { type ArchiveEntry, type ArchiveFormat, BadArchive } from '../../application/ports/backups.ts'
import { decrypt, encrypt, isEncrypted } from './encryption.ts'

const MAGIC_BYTES_COUNT = 32
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd]

/** Errors end the pipeline, and reach whoever reads its result. */
const ignore = () => {}

type Packer = ReturnType<typeof createTarPacker>['controller']

const writeEntries = async (entries: AsyncIterable<ArchiveEntry>, packer: Packer): Promise<void> => {
  try {
    for await (const { name, size, body } of entries) {
      const writer = packer.add({ name, size, mode: 0o600, mtime: new Date(0) }).getWriter()
      for await (const bytes of body) await writer.write(bytes)
      await writer.close()
    }
    packer.finalize()
  } catch (error) {
    packer.error(error)
  }
}

const pack = async function* (entries: AsyncIterable<ArchiveEntry>, key: string | undefined) {
  const { readable, controller } = createTarPacker()
  const writing = writeEntries(entries, controller)
  const compress = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
  })
  const compressed = pipeline(Readable.fromWeb(readable), compress, ignore)
  try {
    if (key === undefined) yield* compressed
    else for await (const bytes of await encrypt(Readable.toWeb(compressed), key)) yield bytes
  } finally {
    compress.destroy()
    await writing
  }
}

/** The bytes, and the first of them. */
const peek = async (bytes: AsyncIterator<Uint8Array>): Promise<readonly [Uint8Array, AsyncGenerator<Uint8Array>]> => {
  const first: Uint8Array[] = []
  let length = 0
  while (length < MAGIC_BYTES_COUNT) {
    const next = await bytes.next()
    if (next.done === true) break
    first.push(next.value)
    length += next.value.byteLength
  }
  const all = async function* () {
    try {
      yield* first
      for (let next = await bytes.next(); next.done !== true; next = await bytes.next()) yield next.value
    } finally {
      await bytes.return?.()
    }
  }
  return [Buffer.concat(first), all()]
}

/** Passes on the bytes, and remembers why they ended early. */
const createSource = (bytes: AsyncIterable<Uint8Array>) => {
  const source = {
    error: null as { readonly reason: unknown } | null,
    async *bytes() {
      try {
        yield* bytes
      } catch (error) {
        source.error = { reason: error }
        throw error
      }
    },
  }
  return source
}

const openCompressed = async (bytes: AsyncIterator<Uint8Array>, key: string | undefined): Promise<Readable> => {
  const [beginning, all] = await peek(bytes)
  if (isEncrypted(beginning)) {
    const encrypted = Readable.toWeb(Readable.from(all, { objectMode: false }))
    return Readable.fromWeb(await decrypt(encrypted, key))
  }
  if (ZSTD_MAGIC.some((byte, at) => beginning[at] !== byte)) throw new BadArchive('is not a backup of Skep')
  return Readable.from(all, { objectMode: false })
}

const unpack = async function* (given: AsyncIterable<Uint8Array>, key: string | undefined) {
  const source = createSource(given)
  const damaged = (error: unknown) => {
    if (error instanceof BadArchive) return error
    return source.error === null ? new BadArchive('is damaged or ends early', { cause: error }) : source.error.reason
  }
  const bodyOf = async function* (body: ReadableStream<Uint8Array>) {
    try {
      for await (const bytes of body) yield bytes
    } catch (error) {
      throw damaged(error)
    }
  }
  const decompress = createZstdDecompress()
  let last: ReadableStream<Uint8Array> | null = null
  try {
    const compressed = await openCompressed(source.bytes(), key)
    const tar = Readable.toWeb(pipeline(compressed, decompress, ignore))
    for await (const { header, body } of tar.pipeThrough(createTarDecoder({ strict: true }))) {
      last = body
      yield { name: header.name, size: header.size, body: bodyOf(body) }
      if (!body.locked) await body.cancel()
    }
  } catch (error) {
    throw damaged(error)
  } finally {
    if (last !== null && !last.locked) await last.cancel().catch(ignore)
    decompress.destroy()
  }
}

/** A tar file compressed with zstd and, if there is a key, encrypted with age. */
export const createArchiveFormat = (key: string | undefined): ArchiveFormat => ({
  pack: (entries) => pack(entries, key),
  unpack: (bytes) => unpack(bytes, key),
})
