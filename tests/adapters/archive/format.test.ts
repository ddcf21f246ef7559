import { expect, test } from 'bun:test'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { createArchiveFormat } from '../../../src/adapters/archive/format.ts'
import { type ArchiveEntry, BadArchive } from '../../../src/application/ports/backups.ts'

const streamOf = async function* (...pieces: readonly Uint8Array[]) {
  yield* pieces
}

const entryOf = (name: string, bytes: Uint8Array): ArchiveEntry => ({
  name,
  size: bytes.byteLength,
  body: streamOf(bytes),
})

const collect = async (bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
  const pieces: Uint8Array[] = []
  for await (const piece of bytes) pieces.push(piece)
  return Buffer.concat(pieces)
}

const LARGE = Array.from({ length: 40 }, () => crypto.getRandomValues(new Uint8Array(65_536)))
const LARGE_BYTES = 40 * 65_536

const entries = async function* () {
  yield entryOf('a.json', new TextEncoder().encode('{}'))
  yield { name: 'files/large', size: LARGE_BYTES, body: streamOf(...LARGE) }
  yield entryOf('empty', new Uint8Array())
}

const read = async (archive: Uint8Array, key?: string) => {
  const found: (readonly [string, number])[] = []
  // In small pieces, as from a slow network.
  const pieces: Uint8Array[] = []
  for (let at = 0; at < archive.length; at += 10_000) pieces.push(archive.subarray(at, at + 10_000))
  for await (const { name, body } of createArchiveFormat(key).unpack(streamOf(...pieces))) {
    found.push([name, (await collect(body)).byteLength])
  }
  return found
}

const CONTENT = [
  ['a.json', 2],
  ['files/large', LARGE_BYTES],
  ['empty', 0],
] as const

const identity = await generateIdentity()
const recipient = await identityToRecipient(identity)

const reasonOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'none'
  } catch (error) {
    return error instanceof BadArchive ? error.message : `unexpected: ${error}`
  }
}

test.each([
  ['no key', undefined, undefined],
  ['an identity', identity, identity],
  ['a recipient, and its identity to read', recipient, identity],
])('an archive made with %s has its entries', async (_, key, readingKey) => {
  const archive = await collect(createArchiveFormat(key).pack(entries()))
  expect(await read(archive, readingKey)).toEqual([...CONTENT])
})

test('entries that are not read are skipped', async () => {
  const archive = await collect(createArchiveFormat(undefined).pack(entries()))
  const names: string[] = []
  for await (const { name } of createArchiveFormat(undefined).unpack(streamOf(archive))) names.push(name)
  expect(names).toEqual(CONTENT.map(([name]) => name))
})

test('a failure of an entry is the failure of the archive', async () => {
  const failing = async function* (): AsyncGenerator<ArchiveEntry> {
    yield entryOf('a', new Uint8Array(3))
    throw new Error('the disk is gone')
  }
  expect(collect(createArchiveFormat(undefined).pack(failing()))).rejects.toThrow('the disk is gone')
})

test('an archive that ends early, or was altered, is refused', async () => {
  for (const key of [undefined, identity]) {
    const archive = await collect(createArchiveFormat(key).pack(entries()))
    const altered = archive.slice()
    altered[1_000_000] = 255 - (archive[1_000_000] ?? 0)
    expect(await reasonOf(read(altered, key))).toBe('is damaged or ends early')
    expect(await reasonOf(read(archive.subarray(0, 1_000_000), key))).toBe('is damaged or ends early')
    expect(await reasonOf(read(archive.subarray(0, archive.length - 1), key))).toBe('is damaged or ends early')
  }
})

test('anything else is refused', async () => {
  expect(await reasonOf(read(new TextEncoder().encode('hello')))).toBe('is not a backup of Skep')
  expect(await reasonOf(read(new Uint8Array()))).toBe('is not a backup of Skep')
})

test('without the right key an encrypted archive is refused', async () => {
  const archive = await collect(createArchiveFormat(recipient).pack(entries()))
  expect(await reasonOf(read(archive))).toBe('is encrypted: set BACKUP_KEY')
  expect(await reasonOf(read(archive, recipient))).toBe('is encrypted: set BACKUP_KEY to the identity of its recipient')
  expect(await reasonOf(read(archive, await generateIdentity()))).toBe('cannot be decrypted with this BACKUP_KEY')
})

test('a failure of the source is not taken for damage', async () => {
  const archive = await collect(createArchiveFormat(undefined).pack(entries()))
  const broken = async function* () {
    yield archive.subarray(0, 100_000)
    throw new Error('no network')
  }
  const reading = async () => {
    for await (const { body } of createArchiveFormat(undefined).unpack(broken())) await collect(body)
  }
  expect(reading()).rejects.toThrow('no network')
})
