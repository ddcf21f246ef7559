import type { MovableBlobs, OpenSha256, Row } from './ports/transfer.ts'

export interface FileCopy {
  readonly files: AsyncIterable<readonly Row[]>
  readonly from: MovableBlobs
  /** Null if the bytes stay where they are and are only verified. */
  readonly to: MovableBlobs | null
  readonly openSha256: OpenSha256
  readonly signal: AbortSignal
  /** Called for each file whose bytes are missing or wrong. */
  complain(line: string): void
  done(): void
}

export interface FileCounts {
  readonly sound: number
  /** How many of these had to be written. */
  readonly written: number
  readonly faulty: number
}

/** Concurrent copies: each may keep two parts of an upload in memory. */
const MAX_FILES_IN_FLIGHT_COUNT = 4

interface FileRow {
  readonly id: number
  readonly key: string
  readonly size: number
  readonly sha256: string
}

/** The source does not have the bytes that the row describes. */
class FaultyBlob extends Error {}

const toFileRow = ({ id, blob_key, size, sha256 }: Row): FileRow => ({
  id: Number(id),
  key: String(blob_key),
  size: Number(size),
  sha256: String(sha256),
})

const fileRows = async function* (pieces: AsyncIterable<readonly Row[]>): AsyncGenerator<FileRow> {
  for await (const rows of pieces) for (const row of rows) yield toFileRow(row)
}

/** Verifies the bytes of every file row, and copies missing ones to `to`. Throws if a store cannot be used. */
export const copyFiles = async (copy: FileCopy): Promise<FileCounts> => {
  const { files, from, to, openSha256, signal, complain, done } = copy
  const bytesOf = async function* (blobs: MovableBlobs, { key, size }: FileRow): AsyncGenerator<Uint8Array> {
    const bytes = await blobs.read(key, 0, size)
    if (bytes === null) throw new FaultyBlob('is missing')
    for await (const piece of bytes instanceof Blob ? bytes.stream() : bytes) {
      signal.throwIfAborted()
      yield piece
    }
  }

  /** Passes on the bytes, and throws at the end if they do not match the row. */
  const verified = async function* (blobs: MovableBlobs, file: FileRow): AsyncGenerator<Uint8Array> {
    const size = await blobs.size(file.key)
    if (size === null) throw new FaultyBlob('is missing')
    if (size !== file.size) throw new FaultyBlob(`has ${size} bytes, not ${file.size}`)
    const digest = openSha256()
    for await (const piece of bytesOf(blobs, file)) {
      digest.update(piece)
      yield piece
    }
    if (digest.end() !== file.sha256) throw new FaultyBlob('has another SHA-256')
  }

  const isSound = async (blobs: MovableBlobs, file: FileRow): Promise<boolean> => {
    try {
      for await (const _ of verified(blobs, file));
      return true
    } catch (error) {
      if (error instanceof FaultyBlob) return false
      throw error
    }
  }

  const counts = { sound: 0, written: 0, faulty: 0 }
  const copyFile = async (file: FileRow): Promise<void> => {
    try {
      if (to === null) for await (const _ of verified(from, file));
      else if (!(await isSound(to, file))) {
        await to.put(file.key, verified(from, file))
        counts.written++
      }
      counts.sound++
    } catch (error) {
      if (!(error instanceof FaultyBlob)) throw error
      counts.faulty++
      complain(`file ${file.id}: what is kept under ${file.key} ${error.message}`)
    }
  }

  const waiting = fileRows(files)
  const runSlot = async (): Promise<void> => {
    try {
      for (let next = await waiting.next(); next.done !== true; next = await waiting.next()) {
        signal.throwIfAborted()
        await copyFile(next.value)
        done()
      }
    } finally {
      // When one worker fails, the others stop after their current file.
      await waiting.return(undefined)
    }
  }
  const results = await Promise.allSettled(Array.from({ length: MAX_FILES_IN_FLIGHT_COUNT }, runSlot))
  for (const end of results) if (end.status === 'rejected') throw end.reason
  return counts
}
