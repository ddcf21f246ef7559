import { HttpProblem } from './problems.ts'

const tooLarge = (limit: number) => new HttpProblem('payload_too_large', `The body is larger than ${limit} bytes`)

const mediaType = (request: Request): string =>
  (request.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''

const requireType = (request: Request, expected: string): void => {
  if (mediaType(request) === expected) return
  throw new HttpProblem('unsupported_media_type', `The body must be ${expected}`, { headers: { accept: expected } })
}

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
    throw new HttpProblem('malformed_body', 'The body is incomplete or not UTF-8')
  }
}

/** The JSON body (RFC 8259), never larger than `limit` bytes. Throws 400, 413 or 415. */
export const readJson = async (request: Request, limit: number): Promise<unknown> => {
  requireType(request, 'application/json')
  const text = await readText(request, limit)
  try {
    return JSON.parse(text)
  } catch {
    throw new HttpProblem('malformed_body', 'The body is not valid JSON')
  }
}

/** The fields of a form, by name; a field sent twice keeps all its values. Throws 400, 413 or 415. */
export const readForm = async (request: Request, limit: number): Promise<Record<string, string | string[]>> => {
  requireType(request, 'application/x-www-form-urlencoded')
  const form: Record<string, string | string[]> = Object.create(null)
  const fields = new URLSearchParams(await readText(request, limit))
  for (const name of new Set(fields.keys())) {
    const values = fields.getAll(name)
    const [first] = values
    form[name] = values.length === 1 && first !== undefined ? first : values
  }
  return form
}
