import type { StoredResponse } from '../../domain/idempotency.ts'

/** Shorter responses are stored uncompressed, because compression would cost more than it saves. */
const COMPRESSED_FROM_CHARACTERS = 4_096
/** The fastest level is enough for the repetitions in a batch, which are within its window. */
const ZSTD_LEVEL = 1

interface Packed {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The uncompressed text; absent if zstd is set. */
  readonly body?: string
  /** The text compressed with zstd, in base64; absent if body is set. */
  readonly zstd?: string
}

/**
 * Encodes a response for storage. A batch of a few bytes can return the same large record a hundred times;
 * compression stores repetitions once.
 */
export const packResponse = ({ status, headers, body }: StoredResponse): string => {
  if (body.length < COMPRESSED_FROM_CHARACTERS) return JSON.stringify({ status, headers, body } satisfies Packed)
  const zstd = Bun.zstdCompressSync(body, { level: ZSTD_LEVEL }).toBase64()
  return JSON.stringify({ status, headers, zstd } satisfies Packed)
}

export const unpackResponse = (stored: string): StoredResponse => {
  const { status, headers, body, zstd }: Packed = JSON.parse(stored)
  if (zstd === undefined) return { status, headers, body: body ?? '' }
  const bytes = Bun.zstdDecompressSync(Uint8Array.fromBase64(zstd))
  return { status, headers, body: bytes.toString() }
}
