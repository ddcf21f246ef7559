import { type Context, type DocumentDecoration, Elysia } from 'elysia'
import { type Access, requireAdmin } from '../../application/access.ts'
import type { Turns } from '../../application/ports/system.ts'
import { AppError } from '../../domain/errors.ts'
import { networksOf } from '../../domain/network.ts'
import type { Principal } from '../../domain/session.ts'
import type { Answers } from './answers.ts'
import { hasBody, readForm, readJson, receiving } from './body.ts'
import { type Call, clientOf } from './call.ts'
import { clientAddress } from './client-address.ts'
import type { CommonHeaders } from './common-headers.ts'
import { costOf } from './costs.ts'
import { createIdempotency } from './idempotency.ts'
import { createInFlight } from './in-flight.ts'
import type { Limits } from './limits.ts'

/** Who may call a route, how its calls are counted and what body it takes. Judged before anything else is read. */
export interface Rule {
  /** A function decides by itself, and hears null for someone without a token. */
  readonly who: 'anyone' | 'user' | 'admin' | ((principal: Principal | null, request: Request) => void)
  /** Whether a bearer token is a further key to this route, and to no other. Whoever holds it is nobody. */
  readonly key?: (token: string) => boolean
  readonly limit?: 'credentials' | 'mailed tokens' | 'none'
  /** Whether the request brings its right to this route with it, so that a token beside it is not looked at. */
  readonly opens?: (request: Request) => boolean
  /** What else must hold before the body is read, with the path's parameters as they came. Throws what is wrong. */
  readonly may?: (principal: Principal, params: Readonly<Record<string, string>>) => unknown
  /** `stream` leaves the body to the route, which reads it as it comes. */
  readonly body?: 'json' | 'form' | 'stream'
  /** Whether the body can only be small: credentials, or an account. A form always is. */
  readonly small?: true
  /** Whether it can answer megabytes: who has not read what they were sent before is refused. */
  readonly large?: true
  /** Whether the call may come without a body, which then counts as `{}`. */
  readonly bodyOptional?: true
  /** Whether the route honours `Idempotency-Key`. */
  readonly idempotent?: true
}

/** How the OpenAPI document hears of a rule; it keeps the mark to itself. */
interface Documented extends DocumentDecoration {
  readonly 'x-admit': Omit<Rule, 'who' | 'key' | 'opens'> & { readonly who: string; readonly key: boolean }
}

const documented = ({ opens: _, ...rule }: Rule): Documented => ({
  'x-admit': { ...rule, who: typeof rule.who === 'string' ? rule.who : 'optional', key: rule.key !== undefined },
})

/** What the largest credentials or account take, several times over. */
const MAX_SMALL_BODY_BYTES = 16_384

interface Deps {
  readonly access: Access
  readonly limits: Limits
  /** The address at the other end of the connection. */
  readonly peerOf: (request: Request) => string
  /** How many proxies in front are trusted. */
  readonly trustProxy: number
  /** Bytes. */
  readonly maxBodySize: number
  readonly answers: Answers
  readonly common: CommonHeaders
  readonly turns: Pick<Turns, 'next'>
}

interface Subject {
  readonly call: Call
  readonly params: Readonly<Record<string, string>>
  readonly request: Request
  readonly headers: Context['set']['headers']
}

type HookContext = Pick<Context, 'request' | 'set' | 'route' | 'params'> & { call: Call }

const BEARER = /^Bearer +([\w\-.~+/]+=*) *$/i

/** Null without an Authorization header, empty when it holds no bearer token. */
export const bearerToken = (request: Request): string | null => {
  const header = request.headers.get('authorization')
  if (header === null) return null
  // The usual spelling, without the cost of a pattern.
  if (header.startsWith('Bearer ey')) return header.slice(7)
  return BEARER.exec(header)?.[1] ?? ''
}

/** Whether the request carries the key of its route, or opens it without a token. */
const isKeyed = (request: Request, { key, opens }: Rule): boolean =>
  (key?.(bearerToken(request) ?? '') ?? false) || (opens?.(request) ?? false)

const identify = (access: Access, request: Request): Principal | Promise<Principal> => {
  const token = bearerToken(request)
  if (token === null) throw new AppError('unauthenticated', 'Sign in to do this')
  if (token === '') throw new AppError('invalid_token', 'The Authorization header holds no bearer token')
  return access.authenticate(token)
}

/**
 * What every feature's routes build on: `call`, what is known of the request beside Elysia's context, and the macro
 * `admit`, which turns a {@link Rule} into hooks that run before parsing and validation.
 */
export const createKernel = ({ access, limits, peerOf, trustProxy, maxBodySize, answers, common, turns }: Deps) => {
  const addressOf = (request: Request): string => {
    const forwardedFor = trustProxy === 0 ? null : request.headers.get('x-forwarded-for')
    return clientAddress(peerOf(request), forwardedFor, trustProxy)
  }

  /** What is left to judge once it is known who calls, and the call is counted. */
  const allow = ({ call, request, params }: Subject, rule: Rule, refusal: unknown): undefined | Promise<unknown> => {
    if (refusal !== null) throw refusal
    if (rule.large === true) answers.check(clientOf(call))
    const { principal } = call
    if (rule.who === 'admin' && principal !== null) requireAdmin(principal)
    if (typeof rule.who === 'function') rule.who(principal, request)
    if (rule.may === undefined || principal === null) return undefined
    const allowed = rule.may(principal, params)
    return allowed instanceof Promise ? allowed : undefined
  }

  const charge = (call: Call, request: Request, headers: Subject['headers'], { limit }: Rule) => {
    if (limit === 'none') return undefined
    if (limit === 'credentials') return limits.credentials(addressOf(request), headers)
    if (limit === 'mailed tokens') return limits.mailedTokens(addressOf(request), headers)
    const address = () => {
      call.address ??= addressOf(request)
      return call.address
    }
    return limits.general(call.principal, address, headers, costOf(request))
  }

  /** Counted before it is refused: whoever guesses tokens is limited by address. */
  const count = (subject: Subject, rule: Rule, refusal: unknown): undefined | Promise<unknown> => {
    const { call, request, headers } = subject
    const counted = charge(call, request, headers, rule)
    if (counted === undefined) return allow(subject, rule, refusal)
    return counted.then(() => allow(subject, rule, refusal))
  }

  /** Answers a promise only where there is something to wait for: most calls are judged at once. */
  const judge = (subject: Subject, route: string, rule: Rule): undefined | Promise<unknown> => {
    const { call, request, headers } = subject
    call.admitted = true
    call.route = route
    if (rule.limit === 'credentials' || rule.limit === 'mailed tokens' || rule.body === 'form')
      headers['cache-control'] = 'no-store'
    const identifies = typeof rule.who === 'string' || request.headers.has('authorization')
    if (rule.who === 'anyone' || !identifies || isKeyed(request, rule)) {
      return count(subject, rule, null)
    }
    try {
      const identified = identify(access, request)
      if (identified instanceof Promise) {
        return identified.then(
          (principal) => {
            call.principal = principal
            return count(subject, rule, null)
          },
          (error: unknown) => count(subject, rule, error),
        )
      }
      call.principal = identified
    } catch (error) {
      return count(subject, rule, error)
    }
    return count(subject, rule, null)
  }

  const bodies = createInFlight()

  const read = async (call: Call, request: Request, { body, small, bodyOptional }: Rule): Promise<unknown> => {
    if (body !== 'json' && body !== 'form') return null
    if (bodyOptional && !hasBody(request)) return {}
    const limit = small === true || body === 'form' ? Math.min(maxBodySize, MAX_SMALL_BODY_BYTES) : maxBodySize
    const client = call.principal === null ? `address:${networksOf(addressOf(request)).client}` : clientOf(call)
    return receiving(
      request,
      limit,
      (bytes) => bodies.take(client, bytes),
      () => (body === 'json' ? readJson(request, limit, turns) : readForm(request, limit, turns)),
    )
  }

  return new Elysia({ name: 'kernel' })
    .decorate('call', null as unknown as Call)
    .decorate('addressOf', addressOf)
    .decorate('limits', limits)
    .decorate('idempotently', createIdempotency(answers, common))
    .decorate('bodies', bodies)
    .macro({
      admit: (rule: Rule) => ({
        // Fields are named one by one: a hook that hands on its whole context makes Elysia parse cookies, query and all.
        parse: [
          async ({ call, request, set, route, params }: HookContext) => {
            await judge({ call, request, headers: set.headers, params }, route, rule)
            return read(call, request, rule)
          },
        ],
        transform: async ({ call, request, set, route, params }: HookContext) => {
          if (call.admitted) return
          const judged = judge({ call, request, headers: set.headers, params }, route, rule)
          if (judged !== undefined) await judged
        },
        detail: documented(rule),
      }),
    })
}

export type Kernel = ReturnType<typeof createKernel>
