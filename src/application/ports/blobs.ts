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
   * Stores `body` piece by piece, with no more than a piece in memory. Resolves when the bytes would survive a crash.
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

/** Content that can be read from anywhere. */
export interface ReadableContent {
  /** Bytes; null while more of it may come. */
  readonly size: number | null
  /** The bytes from `first` up to `end`, without it; fewer where the content ends. */
  read(first: number, end: number): Promise<Uint8Array>
}

/**
 * The content type that the bytes themselves give away; null when they have no known signature. Reads where it has to,
 * and takes what `read` does not give for the end of the content.
 */
export type SniffContentType = (content: ReadableContent) => Promise<string | null>

/** How many first bytes are enough for most types. The signature of a disc image is the furthest: in its 17th sector. */
export const SNIFFED_BYTES = 18 * 2_048
