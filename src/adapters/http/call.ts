import { AppError } from '../../domain/errors.ts'
import { jobIdOf } from '../../domain/job.ts'
import { networksOf } from '../../domain/network.ts'
import type { Actor, Caller, Principal, Visitor } from '../../domain/session.ts'

/** What this adapter knows about a request in addition to Elysia's context. */
export interface Call {
  readonly id: string
  readonly startedAt: number
  principal: Principal | null
  /** The client's address, cached because reading it from the connection is slower. */
  address: string | null
  /** The path with its parameters by name, once a route was found. */
  route: string
  /** Set after access, limits and body were checked, so that it happens only once. */
  admitted: boolean
  /** Rejects if the caller may not make this request after all: for use before a fault of the request is reported. */
  recheck: (() => Promise<void>) | null
  /** Set after the response got its headers and log line, so that it happens only once. */
  finished: boolean
}

const REQUEST_ID = /^[\w.-]{1,64}$/

export const openCall = (request: Request): Call => {
  const given = request.headers.get('x-request-id')
  return {
    id: given !== null && REQUEST_ID.test(given) && jobIdOf(given) === null ? given : crypto.randomUUID(),
    startedAt: performance.now(),
    principal: null,
    address: null,
    route: '',
    admitted: false,
    recheck: null,
    finished: false,
  }
}

/** The client for whom a request's bytes in flight count. */
export const clientOf = ({ principal, address }: Pick<Call, 'principal'> & Partial<Pick<Call, 'address'>>): string => {
  if (principal !== null) return `user:${principal.userId}`
  return typeof address === 'string' ? `address:${networksOf(address).client}` : 'anyone'
}

/**
 * The actor of the request. Throws `unauthenticated` on a route without authentication, so that a forgotten check fails
 * closed.
 */
export const actorOf = ({ id, principal }: Call): Actor => {
  if (principal === null) throw new AppError('unauthenticated', 'Sign in to do this')
  return { userId: principal.userId, sessionId: principal.sessionId, role: principal.role, requestId: id }
}

/** As {@link actorOf}, with the address it comes from. */
export const callerOf = (call: Call, address: string): Caller => ({ ...actorOf(call), address })

/** Someone without a token, and the address they come from. */
export const visitorOf = ({ id }: Call, address: string): Visitor => ({ userId: null, requestId: id, address })
