import type { MovableBlobs, OpenSha256, Row } from './ports/transfer.ts'

export interface FileCopy {
  readonly files: AsyncIterable<readonly Row[]>
  readonly from: MovableBlobs
  /** Null when the bytes stay where they are, and are only looked at. */
  readonly to: MovableBlobs | null
  readonly openSha256: OpenSha256
  readonly signal: AbortSignal
  /** Called with each file whose bytes are missing or wrong. */
  complain(line: string): void
  done(): void
}

export interface FileCounts {
  readonly sound: number
  /** Of these, how many had to be written. */
  readonly written: number
  readonly faulty: number
}

/** How many are under way at once: each may hold two parts of an upload. */
const MAX_FILES_IN_FLIGHT_COUNT = 4

interface Named {
  readonly id: number
  readonly key: string
  readonly size: number
  readonly sha256: string
}

/** The source lacks the bytes that the row describes. */
class Faulty extends Error {}

const named = ({ id, blob_key, size, sha256 }: Row): Named => ({
  id: Number(id),
  key: String(blob_key),
  size: Number(size),
  sha256: String(sha256),
})

const each = async function* (pieces: AsyncIterable<readonly Row[]>): AsyncGenerator<Named> {
  for await (const rows of pieces) for (const row of rows) yield named(row)
}

/** Looks at every file that a row names, and brings what `to` lacks there. Throws when a store cannot be used. */
export const copyFiles = async (copy: FileCopy): Promise<FileCounts> => {
  const { files, from, to, openSha256, signal, complain, done } = copy
  const bytesOf = async function* (blobs: MovableBlobs, { key, size }: Named): AsyncGenerator<Uint8Array> {
    const bytes = await blobs.read(key, 0, size)
    if (bytes === null) throw new Faulty('is missing')
    for await (const piece of bytes instanceof Blob ? bytes.stream() : bytes) {
      signal.throwIfAborted()
      yield piece
    }
  }

  /** Passes them on, and throws at the end when they were others than the row says. */
  const proven = async function* (blobs: MovableBlobs, file: Named): AsyncGenerator<Uint8Array> {
    const size = await blobs.size(file.key)
    if (size === null) throw new Faulty('is missing')
    if (size !== file.size) throw new Faulty(`has ${size} bytes, not ${file.size}`)
    const digest = openSha256()
    for await (const piece of bytesOf(blobs, file)) {
      digest.update(piece)
      yield piece
    }
    if (digest.end() !== file.sha256) throw new Faulty('has another SHA-256')
  }

  const isSound = async (blobs: MovableBlobs, file: Named): Promise<boolean> => {
    try {
      for await (const _ of proven(blobs, file));
      return true
    } catch (error) {
      if (error instanceof Faulty) return false
      throw error
    }
  }

  const counts = { sound: 0, written: 0, faulty: 0 }
  const bring = async (file: Named): Promise<void> => {
    try {
      if (to === null) for await (const _ of proven(from, file));
      else if (!(await isSound(to, file))) {
        await to.put(file.key, proven(from, file))
        counts.written++
      }
      counts.sound++
    } catch (error) {
      if (!(error instanceof Faulty)) throw error
      counts.faulty++
      complain(`file ${file.id}: what is kept under ${file.key} ${error.message}`)
    }
  }

  const waiting = each(files)
  const runSlot = async (): Promise<void> => {
    try {
      for (let next = await waiting.next(); next.done !== true; next = await waiting.next()) {
        signal.throwIfAborted()
        await bring(next.value)
        done()
      }
    } finally {
      // When one fails the others stop, each after its file.
      await waiting.return(undefined)
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: MAX_FILES_IN_FLIGHT_COUNT }, runSlot))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return counts
}
