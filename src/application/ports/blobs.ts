export interface StoredBlob {
  /** Random; reveals nothing about the content or its name. */
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

/** Stores bytes under keys that it generates. */
export interface BlobStore {
  /**
   * Stores `body` chunk by chunk, with at most one chunk in memory. Resolves when the bytes are durable. If `body`
   * throws, rejects with that error and stores nothing. Rejects with `storage_full` if there is no space, `unavailable`
   * if nothing can be written. For a remote store, this and all other methods reject with `unavailable` if it cannot be
   * reached.
   */
  write(body: AsyncIterable<Uint8Array>): Promise<StoredBlob>
  /**
   * The bytes from `first` up to, but not including, `end`, read on demand; null if there is no blob with this key. A
   * stream that cannot continue fails; it never ends early. Canceling it stops the reading.
   */
  read(key: string, first: number, end: number): Promise<BlobBytes | null>
  /** Does nothing if there is no such blob. */
  delete(key: string): Promise<void>
  /** All blobs, in no order, including unfinished ones, whose keys `write` never returns. */
  list(): AsyncIterable<BlobEntry>
}

/** Content with random access. */
export interface ReadableContent {
  /** Size in bytes; null while more may follow. */
  readonly size: number | null
  /** The bytes from `first` up to, but not including, `end`; fewer at the end of the content. */
  read(first: number, end: number): Promise<Uint8Array>
}

/**
 * Detects the content type from the bytes; null if they have no known signature. Reads only what it needs, and treats a
 * short result of `read` as the end of the content.
 */
export type SniffContentType = (content: ReadableContent) => Promise<string | null>

/**
 * How many first bytes are enough for most types. The signature of a disc image is the furthest, in its 17th sector.
 */
export const SNIFFED_BYTES = 18 * 2_048
