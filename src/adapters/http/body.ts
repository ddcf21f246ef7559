import type { EventLoopSlices } from '../../application/ports/system.ts'
import { shortPointer } from '../../domain/errors.ts'
import { inexactNumbers, outlineJson, REPEATED_MEMBER, repeatedMembers } from '../../domain/json-text.ts'
import { HttpProblem, type InvalidPart, MAX_LISTED_FAULTS_COUNT } from './problems.ts'
import type { Rule } from './rule.ts'

/** The error for a body of more than `limit` bytes. */
export const tooLarge = (limit: number) =>
  new HttpProblem('payload_too_large', `The body is larger than ${limit} bytes`)

const malformed = (detail: string) => new HttpProblem('malformed_body', detail)

export const JSON_TYPE = 'application/json'

const JSON_TYPES = [JSON_TYPE]

const hasMediaType = ({ headers }: Request, expected: readonly string[]): boolean => {
  const given = headers.get('content-type')
  // A fast path for the usual spelling.
  if (given === expected[0]) return true
  return given !== null && expected.includes(given.split(';', 1)[0]?.trim().toLowerCase() ?? '')
}

const isCompressed = ({ headers }: Request): boolean => {
  const encoding = headers.get('content-encoding')
  return encoding !== null && encoding.trim().toLowerCase() !== 'identity'
}

/**
 * Throws 415 if the declared type differs, or the body is compressed. As required by RFC 9110 section 12.5.3, its
 * headers name what is accepted instead of what was wrong.
 */
export const requireType = (request: Request, ...expected: readonly string[]): void => {
  const hasType = hasMediaType(request, expected)
  const compressed = isCompressed(request)
  if (hasType && !compressed) return
  const demands = [...(compressed ? ['not be compressed'] : []), ...(hasType ? [] : [`be ${expected.join(' or ')}`])]
  throw new HttpProblem('unsupported_media_type', `The body must ${demands.join(', and ')}`, {
    headers: {
      ...(hasType ? {} : { accept: expected.join(', ') }),
      ...(compressed ? { 'accept-encoding': 'identity' } : {}),
    },
  })
}

/**
 * Call it when a chunked body has arrived. Bun delivers the last chunk before it reads on, and closes the connection
 * with a 400 if it does not accept what follows (such as trailers); one turn later the outcome is known. Throws 400, so
 * that a request that gets 400 has no effect.
 */
export const requireProperEnd = async (request: Request): Promise<void> => {
  await yieldToEventLoop()
  if (request.signal.aborted) throw malformed('The end of the body is malformed')
}

const yieldToEventLoop = () => new Promise((resolve) => setImmediate(resolve))

const MIN_CHUNK_BYTES = 1_024

/**
 * The body as a stream. Bun delivers each chunk separately, even if many small ones arrive in one packet; a pause after
 * a small chunk lets it merge the next ones.
 */
export const chunksOf = async function* (request: Request): AsyncGenerator<Uint8Array> {
  for await (const chunk of request.body ?? []) {
    yield chunk
    if (chunk.byteLength < MIN_CHUNK_BYTES) await yieldToEventLoop()
  }
}

/** Whether the request declares a body. */
export const hasBody = ({ headers }: Request): boolean =>
  headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0'

/** Up to this size a body is not counted while it arrives, and is parsed in one step. */
const SMALL_BYTES = 16_384

/** Large bodies are parsed in turns of the event loop, a few milliseconds at a time. */
type BodySlices = Pick<EventLoopSlices, 'next'>

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

const readText = async (request: Request, limit: number, slices: BodySlices): Promise<string> => {
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > limit) throw tooLarge(limit)
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    // HTTP framing enforces the declared length; only a chunked body must be counted.
    if (declared !== null) {
      const bytes = await request.bytes()
      if (bytes.byteLength > SMALL_BYTES) await slices.next()
      return utf8.decode(bytes)
    }
    for await (const chunk of chunksOf(request)) {
      size += chunk.byteLength
      if (size > limit) throw tooLarge(limit)
      chunks.push(chunk)
    }
    await requireProperEnd(request)
    if (size > SMALL_BYTES) await slices.next()
    return utf8.decode(Buffer.concat(chunks))
  } catch (error) {
    if (error instanceof HttpProblem) throw error
    throw malformed('The body is incomplete or not UTF-8')
  }
}

/** Deeper than any real data; recursion over a tree of unlimited depth would overflow the stack. */
const MAX_JSON_DEPTH = 64

/** Parsing costs time for each value, however short; this limit keeps any body to a few milliseconds. */
const MAX_JSON_VALUES_COUNT = 10_000

/** A body that is not complete within this time is refused. */
const MAX_RECEIVING_MS = 30_000

const receivingLarge = async <T>(reserved: () => Disposable, read: () => Promise<T>): Promise<T> => {
  using _ = reserved()
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () =>
      reject(new HttpProblem('malformed_body', 'The body did not come in time', { headers: { connection: 'close' } })),
    MAX_RECEIVING_MS,
  )
  try {
    return await Promise.race([read(), late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Reads a body while `reserve` counts its bytes: the declared length, or the limit. Rejects with the errors of
 * `reserve`, and with `malformed_body` if it is not complete in time.
 */
export const receiving = <T>(
  request: Request,
  limit: number,
  reserve: (bytes: number) => Disposable,
  read: () => Promise<T>,
): Promise<T> => {
  const declared = request.headers.get('content-length')
  const size = declared === null ? limit : Number(declared)
  // A body that is too large is refused without being read.
  return size <= SMALL_BYTES || size > limit ? read() : receivingLarge(() => reserve(size), read)
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('The body is not valid JSON')
  }
}

const partsAt = (pointers: readonly string[], detail: string): readonly InvalidPart[] =>
  pointers.map((pointer) => ({ in: 'body', pointer: shortPointer(pointer), detail }))

const inexactNumberProblem = (text: string): HttpProblem | null => {
  const pointers = inexactNumbers(text, MAX_LISTED_FAULTS_COUNT)
  if (pointers.length === 0) return null
  const errors = partsAt(pointers, 'A double cannot represent this number; send it as a string')
  return new HttpProblem('number_not_exact', 'The body has numbers that could not be stored as they are', { errors })
}

const requireUniqueMembers = (text: string): void => {
  const pointers = repeatedMembers(text, MAX_LISTED_FAULTS_COUNT)
  if (pointers.length === 0) return
  const errors = partsAt(pointers, REPEATED_MEMBER)
  throw new HttpProblem('validation_failed', 'The body has several members of the same name in one object', { errors })
}

/**
 * The JSON body (RFC 8259): no more than `limit` bytes, 10 000 values and a depth of 64, and no number that a double
 * would change. Throws 400, 413, 415 or 422.
 */
export const readJson = async (
  request: Request,
  limit: number,
  slices: BodySlices,
  { mediaTypes = JSON_TYPES, refusesRepeatedMembers }: Pick<Rule, 'mediaTypes' | 'refusesRepeatedMembers'> = {},
): Promise<unknown> => {
  requireType(request, ...mediaTypes)
  const text = await readText(request, limit, slices)
  const value = parseExactJson(text)
  if (refusesRepeatedMembers === true) requireUniqueMembers(text)
  return value
}

/** Why a JSON text is not accepted, if it is valid but has too many values or levels, or numbers that are not exact. */
export const jsonProblem = (text: string): HttpProblem | null => {
  const { depth, values, hasLongNumber } = outlineJson(text, MAX_JSON_DEPTH, MAX_JSON_VALUES_COUNT)
  if (depth <= MAX_JSON_DEPTH && values <= MAX_JSON_VALUES_COUNT && !hasLongNumber) return null
  try {
    parseExactJson(text)
    return null
  } catch (error) {
    if (error instanceof HttpProblem) return error
    throw error
  }
}

/** As {@link readJson}, of a text. Throws 400, 413 or 422. */
const parseExactJson = (text: string): unknown => {
  const { depth, values, hasLongNumber } = outlineJson(text, MAX_JSON_DEPTH, MAX_JSON_VALUES_COUNT)
  if (depth > MAX_JSON_DEPTH) throw malformed(`The body is nested deeper than ${MAX_JSON_DEPTH}`)
  if (values > MAX_JSON_VALUES_COUNT) {
    throw new HttpProblem('payload_too_large', `The body has more than ${MAX_JSON_VALUES_COUNT} values`)
  }
  const value = parseJson(text)
  const problem = hasLongNumber ? inexactNumberProblem(text) : null
  if (problem !== null) throw problem
  return value
}

const MAX_FORM_FIELDS_COUNT = 100

const countFields = (form: string): number => {
  let count = 1
  for (let at = form.indexOf('&'); at !== -1 && count <= MAX_FORM_FIELDS_COUNT; at = form.indexOf('&', at + 1)) count++
  return count
}

/** The fields of a form, by name; a field sent twice keeps all its values. Throws 400, 413 or 415. */
export const readForm = async (
  request: Request,
  limit: number,
  slices: BodySlices,
): Promise<Record<string, string | string[]>> => {
  requireType(request, 'application/x-www-form-urlencoded')
  const text = await readText(request, limit, slices)
  if (countFields(text) > MAX_FORM_FIELDS_COUNT) {
    throw malformed(`The form has more than ${MAX_FORM_FIELDS_COUNT} fields`)
  }
  const form: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    const before = form[name]
    if (before === undefined) form[name] = value
    else form[name] = typeof before === 'string' ? [before, value] : [...before, value]
  }
  return form
}
