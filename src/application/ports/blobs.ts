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

/** Keeps bytes under keys of its own making. */
export interface BlobStore {
  /**
   * Takes in `body` piece by piece, without holding more than a piece. Resolves when the bytes would survive a crash.
   * When `body` throws, rejects with what it threw and nothing stays. Rejects with `storage_full` when there is no room,
   * `unavailable` while nothing can be written.
   */
  write(body: AsyncIterable<Uint8Array>): Promise<StoredBlob>
  /** Bytes that are read as they are asked for, also those of a `slice`; null when there are none under this key. */
  open(key: string): Promise<Blob | null>
  /** Fine when there are none. */
  delete(key: string): Promise<void>
  /** Everything there is in no order, also what was never finished: that has keys which no `write` answers. */
  list(): AsyncIterable<BlobEntry>
}

/** The content type that these first bytes of a file give away; null when they have no known signature. */
export type SniffContentType = (head: Uint8Array) => Promise<string | null>

/** How many first bytes are enough. */
export const SNIFFED_BYTES = 4_100
