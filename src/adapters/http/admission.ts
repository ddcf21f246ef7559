import type { Context } from 'elysia'
import { type Access, requireAdmin } from '../../application/access.ts'
import { AppError } from '../../domain/errors.ts'
import type { Principal } from '../../domain/session.ts'
import { type Call, clientOf } from './call.ts'
import { costOf } from './costs.ts'
import type { Limits } from './limits.ts'
import type { ResponseBodies } from './response-bodies.ts'
import type { Rule } from './rule.ts'

/** A request to a route, before its body is read. */
export interface RoutedCall {
  readonly call: Call
  readonly params: Readonly<Record<string, string>>
  readonly request: Request
  readonly headers: Context['set']['headers']
}

interface Deps {
  readonly access: Access
  readonly limits: Limits
  readonly responseBodies: ResponseBodies
  readonly addressOf: (request: Request) => string
}

const BEARER = /^Bearer +([\w\-.~+/]+=*) *$/i

/** Null without an Authorization header, empty if it has no bearer token. */
export const bearerToken = (request: Request): string | null => {
  const header = request.headers.get('authorization')
  if (header === null) return null
  // A fast path for the usual spelling.
  if (header.startsWith('Bearer ey')) return header.slice(7)
  return BEARER.exec(header)?.[1] ?? ''
}

/** Whether the request has the static token of its route, or needs no token. */
const isKeyed = (request: Request, { staticToken, grantsAccess }: Rule): boolean =>
  (staticToken?.(bearerToken(request) ?? '') ?? false) || (grantsAccess?.(request) ?? false)

const identifies = (request: Request, rule: Rule): boolean => {
  if (rule.who === 'anyone') return false
  return (typeof rule.who === 'string' || request.headers.has('authorization')) && !isKeyed(request, rule)
}

const authenticate = (access: Access, request: Request): Principal | Promise<Principal> => {
  const token = bearerToken(request)
  if (token === null) throw new AppError('unauthenticated', 'Sign in to do this')
  if (token === '') throw new AppError('invalid_token', 'The Authorization header has no bearer token')
  return access.authenticate(token)
}

const identifiedAs = (call: Call) => (principal: Principal) => {
  call.principal = principal
  return null
}

/** The steps of admission. Each throws or rejects if the request is refused. */
const createSteps = ({ access, limits, responseBodies, addressOf }: Deps) => ({
  forbidCaching({ headers }: RoutedCall, { limit, body }: Rule): void {
    if (limit === 'credentials' || limit === 'mailed tokens' || body === 'form') headers['cache-control'] = 'no-store'
  },

  /** Returns the error of an invalid token instead of throwing it: see {@link createAdmission}. */
  identify({ call, request }: RoutedCall, rule: Rule): unknown {
    if (!identifies(request, rule)) return null
    try {
      const principal = authenticate(access, request)
      if (principal instanceof Promise) return principal.then(identifiedAs(call), (error: unknown) => error)
      call.principal = principal
      return null
    } catch (error) {
      return error
    }
  },

  count({ call, request, headers }: RoutedCall, { limit }: Rule): undefined | Promise<unknown> {
    if (limit === 'none') return undefined
    if (limit === 'credentials') return limits.credentials(addressOf(request), headers)
    if (limit === 'mailed tokens') return limits.mailedTokens(addressOf(request), headers)
    const address = () => {
      call.address ??= addressOf(request)
      return call.address
    }
    return limits.general(call.principal, address, headers, costOf(request))
  },

  authorize({ call, request, params }: RoutedCall, rule: Rule): unknown {
    const { largeResponse, who, checkAccess, checkPublicAccess, recheck } = rule
    const { principal } = call
    if (principal === null && typeof who === 'function') call.address ??= addressOf(request)
    if (largeResponse === true) responseBodies.check(clientOf(call))
    if (who === 'admin' && principal !== null) requireAdmin(principal)
    if (typeof who === 'function') who(principal, request)
    if (recheck !== undefined) call.recheck = () => recheck(principal, params)
    if (checkPublicAccess !== undefined) return checkPublicAccess(principal, params, request)
    return principal === null ? undefined : checkAccess?.(principal, params)
  },
})

/**
 * Admits a request by the rule of its route. Returns a promise only if it has to wait; most requests are admitted
 * synchronously.
 */
export const createAdmission = (deps: Deps) => {
  const { forbidCaching, identify, count, authorize } = createSteps(deps)

  const decide = (subject: RoutedCall, rule: Rule, refusal: unknown): unknown => {
    if (refusal !== null) throw refusal
    return authorize(subject, rule)
  }

  /** Counted before it is refused, so that guessing tokens is rate-limited by address. */
  const countAndDecide = (subject: RoutedCall, rule: Rule, refusal: unknown): unknown => {
    const counted = count(subject, rule)
    if (counted === undefined) return decide(subject, rule, refusal)
    return counted.then(() => decide(subject, rule, refusal))
  }

  return (subject: RoutedCall, rule: Rule): unknown => {
    forbidCaching(subject, rule)
    const refusal = identify(subject, rule)
    if (refusal instanceof Promise) return refusal.then((late) => countAndDecide(subject, rule, late))
    return countAndDecide(subject, rule, refusal)
  }
}
