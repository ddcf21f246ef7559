import { type IdempotencyRequest, type IdempotentResult, keyInUse } from '../../application/idempotency.ts'
import type { ImportLine } from '../../application/import-results.ts'
import type { StoredResponse } from '../../domain/idempotency.ts'
import type { Principal } from '../../domain/session.ts'
import { clientOf } from './call.ts'
import type { CommonHeaders } from './common-headers.ts'
import { HttpProblem } from './problems.ts'
import type { ResponseBodies } from './response-bodies.ts'

export interface IdempotentCall<T> {
  readonly request: Request
  /** Null for a caller without a token, whose key is ignored, because a key belongs to a user. */
  readonly actor: Principal | null
  /** The method and the path template. */
  readonly route: string
  /** The content to compare: the parsed body, or a substitute. */
  readonly sent: unknown
  /** The response to the first request. */
  readonly responseOf: (result: T) => StoredResponse
}

const KEY = /^[\x21-\x7e]{1,255}$/

const keyOf = (request: Request): string | null => {
  const key = request.headers.get('idempotency-key')
  if (key === null || KEY.test(key)) return key
  const errors = [
    { in: 'header', pointer: '/idempotency-key', detail: 'Expected 1 to 255 visible ASCII characters' },
  ] as const
  throw new HttpProblem('validation_failed', 'The header does not have the expected form', { errors })
}

const withSortedMembers = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(withSortedMembers)
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(members.map(([name, member]) => [name, withSortedMembers(member)]))
}

/** SHA-256 of a JSON value: independent of the order of members (RFC 8259 section 4). */
const fingerprintOf = (sent: unknown): Uint8Array =>
  new Bun.CryptoHasher('sha256').update(JSON.stringify(withSortedMembers(sent))).digest()

const comparable = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** SHA-256 of a request that arrives in lines of JSON, after these ones; `fingerprint` is that of what came before. */
export const extendFingerprint = (fingerprint: Uint8Array, lines: readonly ImportLine[]): Uint8Array => {
  const digest = new Bun.CryptoHasher('sha256').update(fingerprint)
  for (const { number, text } of lines) {
    digest.update(`${number} ${JSON.stringify(withSortedMembers(comparable(text)))}\n`)
  }
  return digest.digest()
}

/**
 * Returns a Response, typed as its body, because a `Response` type would widen the route's schema for typed clients.
 */
export type WithIdempotency = <T>(
  call: IdempotentCall<T>,
  work: (idempotency: IdempotencyRequest<T> | null) => Promise<IdempotentResult<T>>,
) => Promise<never>

const untyped = (response: Response): never => response as never

/**
 * Runs creating use cases once per Idempotency-Key and returns their responses. Throws `idempotency_in_progress` while
 * a request with the same user, route and key is running, `idempotency_mismatch` if the request differs.
 */
export const createIdempotency = (
  responseBodies: ResponseBodies,
  common: Pick<CommonHeaders, 'begin'>,
): WithIdempotency => {
  const respond = (client: string, { status, headers, body }: StoredResponse, replayed: boolean): Response => {
    const text = responseBodies.body(client, body, { always: 'always' })
    return common.begin(text, status, replayed ? { ...headers, 'idempotency-replayed': 'true' } : headers)
  }
  const running = new Set<string>()
  return async ({ request, actor, route, sent, responseOf: createResponse }, work) => {
    const key = keyOf(request)
    // Sends the stored response, because a unit of work may have run more than once.
    let made: { readonly result: unknown; readonly response: StoredResponse } | null = null
    const responseOf: typeof createResponse = (result) => {
      if (made === null || made.result !== result) made = { result, response: createResponse(result) }
      return made.response
    }
    const done = (idempotent: Awaited<ReturnType<typeof work>>) => {
      const replayed = 'replayed' in idempotent
      const stored = replayed ? idempotent.replayed : responseOf(idempotent.result)
      return untyped(respond(clientOf({ principal: actor }), stored, replayed))
    }
    if (actor === null || key === null) return done(await work(null))
    const name = `${actor.userId} ${route} ${key}`
    if (running.has(name)) throw keyInUse()
    running.add(name)
    try {
      return done(await work({ key, route, fingerprint: fingerprintOf(sent), responseOf }))
    } finally {
      running.delete(name)
    }
  }
}
