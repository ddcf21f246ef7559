import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { openSha256 } from '../../src/adapters/bun/sha256.ts'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { openSpool } from '../../src/adapters/fs/spool.ts'
import { createSqliteTarget } from '../../src/adapters/sqlite/filling.ts'
import { openSqliteSnapshot } from '../../src/adapters/sqlite/snapshot.ts'
import { ENTRY } from '../../src/application/archive.ts'
import { archiveEntries } from '../../src/application/backup-writing.ts'
import { type ArchiveEntry, BadArchive } from '../../src/application/ports/backups.ts'
import { restoredRows, verifyArchive } from '../../src/application/restoring.ts'
import {
  archiveOf,
  bytesOf,
  contentOf,
  context,
  openTestBlobs,
  packed,
  restoreInto,
  streamOf,
  unpacked,
} from '../support/archives.ts'
import { runsOf } from '../support/runs.ts'
import { temporaryFolder } from '../support/skep.ts'
import { openTestStore, userNamed } from '../support/store.ts'

const { store, path } = openTestStore()
const blobs = openTestBlobs()
const ann = await store.write((tx) => tx.users.insert(userNamed('ann')))
const blob = await blobs.write(streamOf(new Uint8Array(50).fill(7)))
const { id: fileId } = await store.write((tx) =>
  tx.files.insert({
    ownerId: ann.id,
    filename: 'a',
    contentType: 'image/png',
    size: 50,
    sha256: blob.sha256,
    blobKey: blob.key,
    createdAt: 1,
  }),
)
const archive = await archiveOf(openSqliteSnapshot(path), blobs)

/** Why an archive is refused; the target must be untouched. */
const refusalOf = async (bytes: Uint8Array): Promise<string> => {
  const database = join(temporaryFolder(), 'skep.db')
  const restored = openTestBlobs()
  try {
    await restoreInto(createSqliteTarget(database), restored, bytes)
    return 'none'
  } catch (error) {
    expect(existsSync(database)).toBe(false)
    expect(await Array.fromAsync(restored.list())).toEqual([])
    return error instanceof BadArchive ? error.message : `unexpected: ${error}`
  }
}

type Edit = (name: string, text: string) => string | null

/** The archive with some of its entries changed, or left out. */
const edited = (edit: Edit): Promise<Uint8Array> => {
  const entries = async function* (): AsyncGenerator<ArchiveEntry> {
    for await (const { name, body } of unpacked(archive)) {
      const text = edit(name, Buffer.from(await bytesOf(body)).toString('latin1'))
      if (text === null) continue
      const bytes = Buffer.from(text, 'latin1')
      yield { name, size: bytes.length, body: streamOf(bytes) }
    }
  }
  return packed(entries())
}

const without = (prefix: string) => edited((name, text) => (name.startsWith(prefix) ? null : text))

test('an archive that is repacked is restored', async () => {
  expect(await refusalOf(await edited((_, text) => text))).toBe('none')
})

/** Only padding and checksums of the compression may differ unnoticed, because the content has its own. */
const isRefusedOrWhole = async (bytes: Uint8Array): Promise<string> => {
  const refusal = await refusalOf(bytes)
  if (refusal === 'none') expect(await contentOf(bytes)).toEqual(await contentOf(archive))
  return refusal
}

test('an archive that ends early is refused, and changes nothing', async () => {
  for (const length of [0, 3, 40, Math.floor(archive.length / 2), archive.length - 100]) {
    const refusal = await refusalOf(archive.slice(0, length))
    expect(refusal).toMatch(/is damaged or ends early|is not a backup of Skep/)
  }
  expect(await refusalOf(await without(ENTRY.manifest))).toBe('is damaged or ends early')
})

test('an archive with another bit, or of another length, is refused or has the same content', async () => {
  const anyBit = fc.record({ at: fc.nat(archive.length - 1), bit: fc.integer({ min: 0, max: 7 }), length: fc.nat(200) })
  await fc.assert(
    fc.asyncProperty(anyBit, async ({ at, bit, length }) => {
      const altered = archive.slice()
      altered[at] = (archive[at] ?? 0) ^ (1 << bit)
      for (const bytes of [altered, archive.slice(0, archive.length - length)]) {
        expect(await isRefusedOrWhole(bytes)).not.toStartWith('unexpected')
      }
    }),
    { numRuns: runsOf(8, 20) },
  )
})

test('an archive whose rows or files do not match its manifest is refused, and changes nothing', async () => {
  const damaged = 'is damaged or was altered'
  expect(await refusalOf(await edited((_, text) => text.replace('ann@example.com', 'eve@example.com')))).toBe(damaged)
  expect(await refusalOf(await without(`${ENTRY.tables}users`))).toBe(damaged)
  expect(await refusalOf(await without(ENTRY.files))).toBe(damaged)
  const otherBytes: Edit = (name, text) => (name.startsWith(ENTRY.files) ? text.replaceAll('\x07', '\x08') : text)
  expect(await refusalOf(await edited(otherBytes))).toBe(damaged)
})

test('an archive of a newer or older release is refused, and changes nothing', async () => {
  const format = (change: (text: string) => string) =>
    edited((name, text) => (name === ENTRY.format ? change(text) : text))
  const newer = 'was made by a newer release, Skep test: restore it with that'
  expect(await refusalOf(await format((text) => text.replace('"version":1', '"version":2')))).toBe(newer)
  expect(await refusalOf(await format((text) => text.replace('0001_accounts', '9999_future')))).toBe(newer)
  expect(await refusalOf(await format((text) => text.replace('"0001_accounts",', '')))).toBe(
    'was made by an older release, Skep test: restore it with that, then start this one',
  )
})

test('anything else is refused, and changes nothing', async () => {
  const foreign = async function* (): AsyncGenerator<ArchiveEntry> {
    yield { name: 'hello.txt', size: 5, body: streamOf(new TextEncoder().encode('hello')) }
  }
  expect(await refusalOf(await packed(foreign()))).toBe('is not a backup of Skep')
  expect(await refusalOf(new TextEncoder().encode('hello'))).toBe('is not a backup of Skep')
})

test('a file that is removed while a backup runs is in it', async () => {
  const snapshot = openSqliteSnapshot(path)
  await store.write((tx) => tx.files.delete(fileId))
  const later = await archiveOf(snapshot, blobs)
  const names = (await Array.fromAsync(unpacked(later))).map(({ name }) => name)
  expect(names).toContain(ENTRY.files + blob.key)
})

test('a file whose bytes are missing does not prevent a backup, or its restore', async () => {
  const { store: other, path: otherPath } = openTestStore()
  const { id: ownerId } = await other.write((tx) => tx.users.insert(userNamed('bob')))
  const lost = {
    filename: 'a',
    contentType: 'image/png',
    size: 3,
    sha256: '0'.repeat(64),
    blobKey: `00/${'0'.repeat(32)}`,
  }
  await other.write((tx) => tx.files.insert({ ...lost, ownerId, createdAt: 1 }))
  const bytes = await archiveOf(openSqliteSnapshot(otherPath), openTestBlobs())
  const restored = await restoreInto(createSqliteTarget(join(temporaryFolder(), 'skep.db')), openTestBlobs(), bytes)
  expect(restored.manifest.files).toMatchObject({ count: 1, faulty: 1 })
})

test('a restored installation does not continue the work on archives of the one that was backed up', () => {
  const jobs = [
    { kind: 'backup', state: 'running' },
    { kind: 'scheduled-backup', state: 'queued' },
    { kind: 'mail', state: 'queued' },
  ]
  expect(restoredRows('jobs', jobs)).toEqual([{ kind: 'mail', state: 'queued' }])
  const running = { id: 1, state: 'running', name: 'skep-20300101T000000Z-1.tar.zst' }
  // The archive is that of the original.
  expect(restoredRows('backups', [running])).toMatchObject([{ id: 1, state: 'failed', name: null }])
})

test('a file that its store has altered is found by verification', async () => {
  const { store: other, path: otherPath } = openTestStore()
  const { id: ownerId } = await other.write((tx) => tx.users.insert(userNamed('bob')))
  const { key, sha256 } = await blobs.write(streamOf(new Uint8Array(50).fill(3)))
  const file = { ownerId, filename: 'a', contentType: 'image/png', size: 50, sha256, blobKey: key, createdAt: 1 }
  await other.write((tx) => tx.files.insert(file))
  const bytes = await archiveOf(openSqliteSnapshot(otherPath), blobs)
  const folder = temporaryFolder()
  const scratch = createFsBlobStore(folder)
  const verifyInto = (into: typeof scratch) =>
    verifyArchive({
      open: () => unpacked(bytes),
      context,
      target: createSqliteTarget(join(temporaryFolder(), 'skep.db')),
      blobs: into,
      newNonce: () => 'new',
      onProgress() {},
    })
  expect((await verifyInto(scratch)).manifest.files).toMatchObject({ count: 1, faulty: 0 })
  const altering: typeof scratch = {
    ...scratch,
    async put(given, body) {
      const stored = await scratch.put(given, body)
      await writeFile(join(folder, given), new Uint8Array(50).fill(4))
      return stored
    },
  }
  expect(verifyInto(altering)).rejects.toThrow(`the target did not store the file ${key} unchanged`)
})

test('small files are read ahead, a few at a time, and all of them are in the archive', async () => {
  const { store: other, path: otherPath } = openTestStore()
  const { id: ownerId } = await other.write((tx) => tx.users.insert(userNamed('bob')))
  for (let size = 1; size <= 20; size++) {
    const { key, sha256 } = await blobs.write(streamOf(new Uint8Array(size).fill(size)))
    const file = { ownerId, filename: 'a', contentType: 'image/png', size, sha256, blobKey: key, createdAt: 1 }
    await other.write((tx) => tx.files.insert(file))
  }
  let begun = 0
  let ended = 0
  let mostBegun = 0
  const second = Promise.withResolvers<void>()
  const counting: typeof blobs = {
    ...blobs,
    async read(...range) {
      mostBegun = Math.max(mostBegun, ++begun - ended)
      if (begun === 1) await second.promise
      else second.resolve()
      return blobs.read(...range)
    },
  }
  const snapshot = openSqliteSnapshot(otherPath)
  const spool = openSpool(temporaryFolder())
  const source = { snapshot, blobs: counting, spool, openSha256, program: 'test', now: 1, secret: null, onFaulty() {} }
  const sizes: number[] = []
  for await (const { name, body } of archiveEntries(source)) {
    const { length } = await bytesOf(body)
    if (!name.startsWith(ENTRY.files)) continue
    sizes.push(length)
    ended++
  }
  await spool.close()
  expect(sizes).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
  expect(mostBegun).toBeLessThanOrEqual(5)
})
