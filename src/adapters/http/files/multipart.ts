import { Busboy } from '@fastify/busboy'
import type { Upload } from '../../../application/uploads.ts'
import { chunksOf, requireProperEnd, requireType, tooLarge } from '../body.ts'
import { HttpProblem } from '../problems.ts'

/** The only part of an upload. */
const FIELD = 'file'

/** Limit for boundaries, headers and other bytes around the part. */
const MAX_FRAMING_BYTES = 64 * 1_024

/** Bytes parsed in one step. */
const MAX_PIECE_BYTES = 16_384

/**
 * The engine does not account for the memory of body chunks, so they accumulate: after this number of bytes, garbage
 * collection is requested. That takes a few milliseconds and bounds the memory of a body of any size.
 */
const COLLECT_AFTER_BYTES = 16 * 1_048_576

const malformed = () => new HttpProblem('malformed_body', 'The body is incomplete or not multipart/form-data')

const notOneFile = () =>
  new HttpProblem('validation_failed', 'The body does not have the expected form', {
    errors: [{ in: 'body', pointer: `/${FIELD}`, detail: 'Expected one file, and nothing else' }],
  })

const ESCAPES: Readonly<Record<string, string>> = { '%0A': '\n', '%0D': '\r', '%22': '"' }

/**
 * Browsers escape these three (HTML, section 4.10.21.8) but not the percent sign, so decoding is not always
 * unambiguous.
 */
const withoutEscapes = (name: string) => name.replace(/%0[AD]|%22/gi, (code) => ESCAPES[code.toUpperCase()] ?? '')

interface Parser {
  /** Parses received bytes and returns the file's bytes in them. Throws if the body is refused. */
  push(bytes: Uint8Array): Promise<readonly Uint8Array[]>
  /** Call it when everything has arrived. */
  end(): Promise<readonly Uint8Array[]>
  /** The file name from the client; null until the file has begun. */
  filename(): string | null
}

const openBusboy = (contentType: string) => {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      // Otherwise a name that is only a path, such as `..`, looks like that of no chosen file.
      preservePath: true,
      limits: { parts: 1, files: 1, fields: 0, headerPairs: 100 },
    })
  } catch {
    throw malformed()
  }
}

const createParser = (contentType: string): Parser => {
  const busboy = openBusboy(contentType)
  let found: string | null = null
  let pieces: Uint8Array[] = []
  let failure: HttpProblem | null = null
  // After a failure the parser may not call back any more, so this resumes the waiting caller.
  let goOn = () => {}
  const fail = (problem: HttpProblem) => {
    failure ??= problem
    goOn()
  }

  busboy.on('file', (field, stream, filename: string | undefined) => {
    stream.on('error', () => fail(malformed()))
    stream.on('data', (bytes: Uint8Array) => pieces.push(bytes))
    // A form sends a field without a chosen file as a file without a name.
    if (field !== FIELD || filename === undefined || filename === '') fail(notOneFile())
    else found = withoutEscapes(filename)
  })
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) busboy.on(limit, () => fail(notOneFile()))
  busboy.on('error', () => fail(malformed()))

  const advance = async (start: (done: () => void) => void): Promise<readonly Uint8Array[]> => {
    if (failure === null) {
      await new Promise<void>((resolve) => {
        goOn = resolve
        start(resolve)
      })
    }
    if (failure !== null) throw failure
    const arrived = pieces
    pieces = []
    return arrived
  }

  return {
    async push(bytes) {
      const arrived: Uint8Array[] = []
      // In pieces, because a piece is parsed to its end even after its content was refused.
      for (let at = 0; at < bytes.byteLength; at += MAX_PIECE_BYTES) {
        const piece = bytes.subarray(at, at + MAX_PIECE_BYTES)
        arrived.push(...(await advance((done) => busboy.write(piece, () => done()))))
      }
      return arrived
    },
    end: () =>
      advance((done) => {
        busboy.on('finish', done)
        busboy.end()
      }),
    filename: () => found,
  }
}

/** The body, chunk by chunk, on demand; transfer errors become client errors. */
const piecesOf = async function* (request: Request, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0
  let collectAt = COLLECT_AFTER_BYTES
  try {
    for await (const bytes of chunksOf(request)) {
      size += bytes.byteLength
      if (size > limit + MAX_FRAMING_BYTES) throw tooLarge(limit)
      yield bytes
      if (size < collectAt) continue
      Bun.gc(true)
      collectAt = size + COLLECT_AFTER_BYTES
    }
    if (request.headers.get('content-length') === null) await requireProperEnd(request)
  } catch (error) {
    throw error instanceof HttpProblem ? error : malformed()
  }
}

/**
 * The one file of a multipart body (RFC 7578), read only as fast as its content is consumed. Throws 400, 413, 415 or
 * 422, as does the content: when it ends, the whole body was valid. A consumer may stop early.
 */
export const readUpload = async (request: Request, limit: number): Promise<Upload> => {
  requireType(request, 'multipart/form-data')
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (announced > limit + MAX_FRAMING_BYTES) throw tooLarge(limit)
  const parser = createParser(request.headers.get('content-type') ?? '')
  const source = piecesOf(request, limit)

  /** The file's bytes in the next chunk of the body; null after the last. */
  const advance = async (): Promise<readonly Uint8Array[] | null> => {
    const next = await source.next()
    return next.done === true ? null : parser.push(next.value)
  }

  const firstPieces = async () => {
    for (let pieces = await advance(); pieces !== null; pieces = await advance()) {
      if (parser.filename() !== null) return pieces
    }
    const pieces = await parser.end()
    if (parser.filename() === null) throw notOneFile()
    return pieces
  }

  const content = async function* (first: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    let size = 0
    try {
      for (let pieces: readonly Uint8Array[] | null = first; pieces !== null; pieces = await advance()) {
        for (const bytes of pieces) {
          size += bytes.byteLength
          if (size > limit) throw tooLarge(limit)
          yield bytes
        }
      }
      // The end of the file may only be available now.
      yield* await parser.end()
    } finally {
      await source.return(undefined)
    }
  }

  try {
    const first = await firstPieces()
    return {
      filename: parser.filename() ?? '',
      announced: Math.max(0, announced - MAX_FRAMING_BYTES),
      content: content(first),
    }
  } catch (error) {
    await source.return(undefined)
    throw error
  }
}
