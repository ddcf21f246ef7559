import type { EventLoopSlices } from '../../application/ports/system.ts'
import { chunksOf, requireProperEnd } from './body.ts'
import { HttpProblem } from './problems.ts'

export const NDJSON_TYPE = 'application/x-ndjson'

const LINE_FEED = 0x0a

/** One line of a text, without its end. */
export interface Line {
  /** Counted from 1. */
  readonly number: number
  /** Null if it is longer than the limit, or not UTF-8. */
  readonly text: string | null
  /** Why there is no text. */
  readonly fault?: string
  /** The SHA-256 of a line without text. */
  readonly digest?: string
}

/** A byte order mark before the first line is not a part of it; anywhere else it is a character. */
const firstLine = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
const laterLine = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const decoded = (number: number, parts: readonly Uint8Array[]): Line => {
  const bytes = Buffer.concat(parts)
  try {
    return { number, text: (number === 1 ? firstLine : laterLine).decode(bytes) }
  } catch {
    const digest = new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
    return { number, text: null, fault: 'The line is not UTF-8', digest }
  }
}

/**
 * The lines of a request's body as it arrives; a last line may lack its end. In memory there is one chunk, and up to
 * `maxBytes` of a line: of a longer one, only the number and a digest are kept. A chunk may have many short lines, so the
 * event loop does other work between them. Throws `malformed_body` if the body is incomplete.
 */
export const linesOf = async function* (
  request: Request,
  maxBytes: number,
  slices: EventLoopSlices,
  chunks: AsyncIterable<Uint8Array> = chunksOf(request),
): AsyncGenerator<Line> {
  const fault = `The line is longer than ${maxBytes} bytes`
  let number = 1
  let parts: Uint8Array[] = []
  let size = 0
  let long: Bun.CryptoHasher | null = null
  const add = (part: Uint8Array) => {
    size += part.byteLength
    if (size > maxBytes) {
      long ??= new Bun.CryptoHasher('sha256')
      for (const each of [...parts.splice(0), part]) long.update(each)
    }
    // A copy, so that the beginning of a line does not retain its chunk.
    else if (part.byteLength > 0) parts.push(new Uint8Array(part))
  }
  const end = (): Line => {
    const line = long === null ? decoded(number, parts) : { number, text: null, fault, digest: long.digest('hex') }
    number++
    parts = []
    size = 0
    long = null
    return line
  }
  try {
    for await (const chunk of chunks) {
      let start = 0
      for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, start)) {
        add(chunk.subarray(start, at))
        if (slices.isOver()) await slices.next()
        yield end()
        start = at + 1
      }
      add(chunk.subarray(start))
    }
    if (!request.headers.has('content-length')) await requireProperEnd(request)
  } catch (error) {
    if (error instanceof HttpProblem) throw error
    throw new HttpProblem('malformed_body', 'The body is incomplete')
  }
  if (size > 0) yield end()
}
