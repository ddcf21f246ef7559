import { EndOfStreamError, type IRandomAccessTokenizer, type IReadChunkOptions } from 'strtok3/core'
import type { ReadableContent } from '../../application/ports/blobs.ts'

/** Placeholder for an unknown size. One less than the value that makes `file-type` read a stream. */
const UNKNOWN_SIZE = Number.MAX_SAFE_INTEGER - 1

/** No valid token is longer; a longer one has a forged length. */
const MAX_TOKEN_BYTES = 1_048_576

/** A tokenizer of `file-type` for the content. A short read is its end. */
export const createTokenizer = (content: ReadableContent): IRandomAccessTokenizer => {
  const size = content.size ?? UNKNOWN_SIZE
  let position = 0

  const peekBuffer = async (buffer: Uint8Array, options: IReadChunkOptions = {}): Promise<number> => {
    const first = options.position ?? position
    const wanted = options.length ?? buffer.length
    const bytes = await content.read(first, Math.min(first + wanted, size))
    if (bytes.length < wanted && options.mayBeLess !== true) throw new EndOfStreamError()
    buffer.set(bytes.subarray(0, wanted))
    return bytes.length
  }

  const readBuffer = async (buffer: Uint8Array, options: IReadChunkOptions = {}): Promise<number> => {
    const first = options.position ?? position
    const count = await peekBuffer(buffer, options)
    position = first + count
    return count
  }

  const allocate = (length: number): Uint8Array => {
    if (length > MAX_TOKEN_BYTES) throw new EndOfStreamError()
    return new Uint8Array(length)
  }

  const peekToken: IRandomAccessTokenizer['peekToken'] = async (token, at) => {
    const buffer = allocate(token.len)
    await peekBuffer(buffer, { position: at ?? position })
    return token.get(buffer, 0)
  }

  const readToken: IRandomAccessTokenizer['readToken'] = async (token, at = position) => {
    const buffer = allocate(token.len)
    await readBuffer(buffer, { position: at })
    return token.get(buffer, 0)
  }

  return {
    fileInfo: { size },
    get position() {
      return position
    },
    peekBuffer,
    readBuffer,
    peekToken,
    readToken,
    peekNumber: (token) => peekToken(token),
    readNumber: (token) => readToken(token),
    async ignore(length) {
      const skipped = Math.min(length, Math.max(0, size - position))
      position += skipped
      return skipped
    },
    setPosition(to) {
      position = to
    },
    supportsRandomAccess: () => true,
    close: async () => {},
    abort: async () => {},
  }
}
