import type { BlobBytes } from './blobs.ts'

/** Keeps archives under their names. */
export interface Archives {
  /**
   * Stores `body` chunk by chunk, with at most one part in memory. Resolves when the bytes are durable. If `body` throws,
   * rejects with that error and stores nothing.
   */
  write(name: string, body: AsyncIterable<Uint8Array>): Promise<WrittenArchive>
  /** The bytes from `first` up to, but not including, `end`; null if there is no such archive. */
  read(name: string, first: number, end: number): Promise<BlobBytes | null>
  /** In bytes; null if there is no such archive. */
  size(name: string): Promise<number | null>
  /** Does nothing if there is no such archive. */
  delete(name: string): Promise<void>
}

export interface WrittenArchive {
  /** Bytes. */
  readonly size: number
  /** Lower-case hexadecimal. */
  readonly sha256: string
}

/** A part of an archive. */
export interface ArchiveEntry {
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly body: AsyncIterable<Uint8Array>
}

/** The format of archives, and their encryption. */
export interface ArchiveFormat {
  /** The bytes of an archive with these entries. Entries are read one after the other, as fast as the bytes are. */
  pack(entries: AsyncIterable<ArchiveEntry>): AsyncIterable<Uint8Array>
  /**
   * The entries of an archive; the body of each has to be read, or is skipped, before the next. Throws a {@link
   * BadArchive} if the bytes are no such archive, are damaged or end early, or cannot be decrypted.
   */
  unpack(bytes: AsyncIterable<Uint8Array>): AsyncIterable<ArchiveEntry>
}

/** What is wrong with an archive, in one line for operators. */
export class BadArchive extends Error {}

/** Works on archives outside of the thread that answers requests. */
export interface BackupRunner {
  /** Whether archives are encrypted. */
  readonly encrypts: boolean
  /** Writes an archive of the installation as it is now. While it runs, no bytes of files may be removed. */
  write(name: string, signal: AbortSignal): Promise<WrittenArchive & { readonly detail: string | null }>
  /** Restores an archive into a scratch folder and compares. Returns what it found; rejects if there is any fault. */
  verify(name: string, signal: AbortSignal): Promise<string>
}

/** The next time of a schedule after `now`, in milliseconds since 1970; null if there is none. */
export type NextTime = (now: number) => number | null
