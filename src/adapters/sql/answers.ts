import type { StoredAnswer } from '../../domain/idempotency.ts'

/** Shorter ones are kept as they are: compressing them would cost more than it saves. */
const COMPRESSED_FROM_CHARACTERS = 4_096
/** The fastest, and within its window all that a batch repeats. */
const GZIP_LEVEL = 1

interface Packed {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** As it is, or */
  readonly body?: string
  /** compressed, in base64. */
  readonly zstd?: string
}

/**
 * An answer as it is stored. A batch can answer the same large item a hundred times, for a request of a few bytes: what
 * repeats itself is kept once.
 */
export const packAnswer = ({ status, headers, body }: StoredAnswer): string => {
  if (body.length < COMPRESSED_FROM_CHARACTERS) return JSON.stringify({ status, headers, body } satisfies Packed)
  const zstd = Bun.zstdCompressSync(body, { level: GZIP_LEVEL }).toBase64()
  return JSON.stringify({ status, headers, zstd } satisfies Packed)
}

export const unpackAnswer = (stored: string): StoredAnswer => {
  const { status, headers, body, zstd }: Packed = JSON.parse(stored)
  if (zstd === undefined) return { status, headers, body: body ?? '' }
  const bytes = Bun.zstdDecompressSync(Uint8Array.fromBase64(zstd))
  return { status, headers, body: bytes.toString() }
}
