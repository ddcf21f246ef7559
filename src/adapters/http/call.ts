import { AppError } from '../../domain/errors.ts'
import type { Actor, Caller, Principal } from '../../domain/session.ts'

/** What this adapter knows of one request beside what Elysia does. */
export interface Call {
  readonly id: string
  readonly startedAt: number
  principal: Principal | null
  /** Of the client, once it was asked for: asking the connection costs more than reading this. */
  address: string | null
  /** The path with its parameters by name, once a route was found. */
  route: string
  /** Set when access, limits and body were checked, so that it happens once. */
  admitted: boolean
  /** Set when its answer was dressed and its line written to the log, so that it happens once. */
  finished: boolean
}

const REQUEST_ID = /^[\w.-]{1,64}$/

export const openCall = (request: Request): Call => {
  const given = request.headers.get('x-request-id')
  return {
    id: given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID(),
    startedAt: performance.now(),
    principal: null,
    address: null,
    route: '',
    admitted: false,
    finished: false,
  }
}

/** Whose bytes in flight those of a call are. */
export const clientOf = ({ principal }: Pick<Call, 'principal'>): string =>
  principal === null ? 'anyone' : `user:${principal.userId}`

/** Who makes the call. Throws `unauthenticated` on a route that let everyone in: a forgotten check fails closed. */
export const actorOf = ({ id, principal }: Call): Actor => {
  if (principal === null) throw new AppError('unauthenticated', 'Sign in to do this')
  return { userId: principal.userId, sessionId: principal.sessionId, role: principal.role, requestId: id }
}

/** As {@link actorOf}, with the address it comes from. */
export const callerOf = (call: Call, address: string): Actor & Caller => ({ ...actorOf(call), address })
