import { createArchiveFormat } from '../../src/adapters/archive/format.ts'
import { openSha256 } from '../../src/adapters/bun/sha256.ts'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { openSpool } from '../../src/adapters/fs/spool.ts'
import { readArchive } from '../../src/application/backup-reading.ts'
import { archiveEntries } from '../../src/application/backup-writing.ts'
import type { ArchiveEntry } from '../../src/application/ports/backups.ts'
import type { EmptyTarget, MovableBlobs, Row, Snapshot } from '../../src/application/ports/transfer.ts'
import { restore } from '../../src/application/restoring.ts'
import { archiveContext } from '../../src/main/archiving.ts'
import { temporaryFolder } from './skep.ts'

const format = createArchiveFormat(undefined)

/** What this program reads archives with. */
export const context = archiveContext(new AbortController().signal)

export const streamOf = async function* (...pieces: readonly Uint8Array[]) {
  yield* pieces
}

export const bytesOf = async (pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> =>
  new Uint8Array(Buffer.concat(await Array.fromAsync(pieces)))

/** The bytes of an archive with these entries. */
export const packed = (entries: AsyncIterable<ArchiveEntry>): Promise<Uint8Array> => bytesOf(format.pack(entries))

/** Works on a copy, because the streams may take the memory. */
export const unpacked = (archive: Uint8Array): AsyncIterable<ArchiveEntry> => format.unpack(streamOf(archive.slice()))

/** A blob store in a folder of its own. */
export const openTestBlobs = () => createFsBlobStore(temporaryFolder())

/** An archive of an installation. */
export const archiveOf = async (snapshot: Snapshot, blobs: MovableBlobs): Promise<Uint8Array> => {
  const spool = openSpool(temporaryFolder())
  const source = { snapshot, blobs, spool, openSha256, program: 'test', now: 1, secret: null, onFaulty() {} }
  try {
    return await packed(archiveEntries(source))
  } finally {
    await snapshot.close()
    await spool.close()
  }
}

let restores = 0

/** Epochs that it begins have a nonce that begins with `restored`. */
export const restoreInto = (target: EmptyTarget, blobs: MovableBlobs, archive: Uint8Array) =>
  restore({
    open: () => unpacked(archive),
    context,
    target,
    blobs,
    newNonce: () => `restored${++restores}`,
    onProgress() {},
  })

/** The content of an archive: its rows by table, and its files by key. */
export const contentOf = async (archive: Uint8Array) => {
  const rows: Record<string, Row[]> = {}
  const files: Record<string, string> = {}
  const { manifest } = await readArchive(
    unpacked(archive),
    {
      async onRows(table, found) {
        rows[table] = [...(rows[table] ?? []), ...found]
      },
      async onFile(key, body) {
        files[key] = Bun.CryptoHasher.hash('sha256', await bytesOf(body), 'hex')
      },
      onFaulty() {},
    },
    context,
  )
  return { rows, files, manifest }
}
