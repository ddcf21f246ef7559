import { HttpProblem } from './problems.ts'

/** A body that is more than `limit` bytes. */
export const tooLarge = (limit: number) =>
  new HttpProblem('payload_too_large', `The body is larger than ${limit} bytes`)

const malformed = (detail: string) => new HttpProblem('malformed_body', detail)

const mediaType = (request: Request): string =>
  (request.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''

/** Throws 415 when the body says that it is of another type. */
export const requireType = (request: Request, expected: string): void => {
  if (mediaType(request) === expected) return
  throw new HttpProblem('unsupported_media_type', `The body must be ${expected}`, { headers: { accept: expected } })
}

/** Whether the request says that a body comes with it. */
export const hasBody = ({ headers }: Request): boolean =>
  headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

const readText = async (request: Request, limit: number): Promise<string> => {
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > limit) throw tooLarge(limit)
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    // HTTP's framing holds a body to its declared length; only a chunked one must be counted.
    if (declared !== null) return utf8.decode(await request.bytes())
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength
      if (size > limit) throw tooLarge(limit)
      chunks.push(chunk)
    }
    return utf8.decode(Buffer.concat(chunks))
  } catch (error) {
    if (error instanceof HttpProblem) throw error
    throw malformed('The body is incomplete or not UTF-8')
  }
}

const DEEPEST = 64

/** Whether arrays and objects lie deeper in each other than anyone needs; what walks such a tree runs out of stack. */
const isTooDeep = (json: string): boolean => {
  let depth = 0
  for (let at = 0; at < json.length; at++) {
    const character = json.charCodeAt(at)
    if (character === 0x22) {
      for (at++; at < json.length && json.charCodeAt(at) !== 0x22; at++) if (json.charCodeAt(at) === 0x5c) at++
    } else if (character === 0x5b || character === 0x7b) {
      if (++depth > DEEPEST) return true
    } else if (character === 0x5d || character === 0x7d) depth--
  }
  return false
}

/** The JSON body (RFC 8259), never larger than `limit` bytes nor deeper than 64. Throws 400, 413 or 415. */
export const readJson = async (request: Request, limit: number): Promise<unknown> => {
  requireType(request, 'application/json')
  const text = await readText(request, limit)
  if (isTooDeep(text)) throw malformed(`The body is nested deeper than ${DEEPEST}`)
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('The body is not valid JSON')
  }
}

const MOST_FIELDS = 100

/** The fields of a form, by name; a field sent twice keeps all its values. Throws 400, 413 or 415. */
export const readForm = async (request: Request, limit: number): Promise<Record<string, string | string[]>> => {
  requireType(request, 'application/x-www-form-urlencoded')
  const form: Record<string, string | string[]> = Object.create(null)
  let count = 0
  for (const [name, value] of new URLSearchParams(await readText(request, limit))) {
    if (++count > MOST_FIELDS) throw malformed(`The form has more than ${MOST_FIELDS} fields`)
    const before = form[name]
    if (before === undefined) form[name] = value
    else form[name] = typeof before === 'string' ? [before, value] : [...before, value]
  }
  return form
}
