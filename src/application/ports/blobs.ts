export interface StoredBlob {
  /** Random; says nothing about the content or its name. */
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** Lower-case hexadecimal. */
  readonly sha256: string
}

export interface BlobEntry {
  readonly key: string
  /** Milliseconds since 1970. */
  readonly modifiedAt: number
}

export type BlobBytes = Blob | ReadableStream<Uint8Array>

/** Keeps bytes under keys of its own making. */
export interface BlobStore {
  /**
   * Takes in `body` piece by piece, without holding more than a piece. Resolves when the bytes would survive a crash.
   * When `body` throws, rejects with what it threw and nothing stays. Rejects with `storage_full` when there is no room,
   * `unavailable` while nothing can be written.
   * A store elsewhere rejects with `unavailable`, here and in all that follows, when it cannot be reached.
   */
  write(body: AsyncIterable<Uint8Array>): Promise<StoredBlob>
  /**
   * The bytes from `first` up to `end`, without it, read as they are asked for; null when there are none under this key.
   * A stream that cannot go on fails, it never just ends early. To cancel it ends the reading.
   */
  read(key: string, first: number, end: number): Promise<BlobBytes | null>
  /** Fine when there are none. */
  delete(key: string): Promise<void>
  /** Everything there is in no order, also what was never finished: that has keys which no `write` answers. */
  list(): AsyncIterable<BlobEntry>
}

/** The content type that these first bytes of a file give away; null when they have no known signature. */
export type SniffContentType = (head: Uint8Array) => Promise<string | null>

/** How many first bytes are enough. */
export const SNIFFED_BYTES = 4_100
