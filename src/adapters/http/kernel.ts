import { type Context, Elysia } from 'elysia'
import type { Access } from '../../application/access.ts'
import type { AuditReads } from '../../application/audit-reads.ts'
import type { EventLoopSlices } from '../../application/ports/system.ts'
import { createAdmission, type RoutedCall } from './admission.ts'
import { hasBody, readForm, readJson, receiving } from './body.ts'
import { type Call, clientOf } from './call.ts'
import type { AddressOf } from './client-address.ts'
import type { CommonHeaders } from './common-headers.ts'
import { createIdempotency } from './idempotency.ts'
import type { IdleTimeout } from './idle-timeout.ts'
import { createInFlight, type InFlight } from './in-flight.ts'
import type { Limits } from './limits.ts'
import { createNoteRead } from './noted-reads.ts'
import type { ResponseBodies } from './response-bodies.ts'
import { documented, type Rule } from './rule.ts'

export type { Rule } from './rule.ts'

/** Several times the size of the largest credentials or account. */
const MAX_SMALL_BODY_BYTES = 16_384

/** Beyond that, a request waits for its share of the event loop before its parameters are read. */
const MAX_SHORT_URL_LENGTH = 500

interface Deps {
  readonly access: Access
  readonly limits: Limits
  readonly addressOf: AddressOf
  readonly maxBodyBytes: number
  readonly responseBodies: ResponseBodies
  readonly common: CommonHeaders
  readonly slices: Pick<EventLoopSlices, 'next'>
  readonly auditReads: AuditReads
  readonly idleTimeout: IdleTimeout
}

type HookContext = Pick<Context, 'request' | 'set' | 'route' | 'params'> & { call: Call }

const createBodyReader =
  ({ maxBodyBytes, slices, addressOf }: Deps, bodies: InFlight) =>
  (call: Call, request: Request, rule: Rule): unknown => {
    const { body, smallBody, bodyOptional } = rule
    if (body !== 'json' && body !== 'form') return null
    if (bodyOptional && !hasBody(request)) return {}
    const isSmall = smallBody === true || body === 'form'
    const limit = rule.maxBodyBytes ?? (isSmall ? Math.min(maxBodyBytes, MAX_SMALL_BODY_BYTES) : maxBodyBytes)
    if (call.principal === null) call.address ??= addressOf(request)
    return receiving(
      request,
      limit,
      (bytes) => bodies.take(clientOf(call), bytes),
      () => (body === 'json' ? readJson(request, limit, slices, rule) : readForm(request, limit, slices)),
    )
  }

/**
 * The base of every feature's routes: `call`, with data about the request in addition to Elysia's context, and the
 * macro `admit`, which turns a {@link Rule} into hooks that run before parsing and validation.
 */
export const createKernel = (deps: Deps) => {
  const { access, limits, responseBodies, common, addressOf, auditReads, idleTimeout, slices } = deps
  const bodies = createInFlight()
  const admit = createAdmission({ access, limits, responseBodies, addressOf })
  const read = createBodyReader(deps, bodies)

  const authorize = (subject: RoutedCall, route: string, rule: Rule): unknown => {
    subject.call.admitted = true
    subject.call.route = route
    return admit(subject, rule)
  }

  return new Elysia({ name: 'kernel' })
    .decorate('call', null as unknown as Call)
    .decorate('addressOf', addressOf)
    .decorate('limits', limits)
    .decorate('withIdempotency', createIdempotency(responseBodies, common))
    .decorate('bodies', bodies)
    .decorate('noteRead', createNoteRead(auditReads, addressOf))
    .decorate('idleTimeout', idleTimeout)
    .macro({
      admit: (rule: Rule) => ({
        // Fields are named one by one: for a hook that passes on its whole context, Elysia would parse cookies, query
        // and everything else.
        parse: [
          async ({ call, request, set, route, params }: HookContext) => {
            await authorize({ call, request, headers: set.headers, params }, route, rule)
            return read(call, request, rule)
          },
        ],
        transform: async ({ call, request, set, route, params }: HookContext) => {
          if (!call.admitted) {
            const authorizing = authorize({ call, request, headers: set.headers, params }, route, rule)
            if (authorizing instanceof Promise) await authorizing
          }
          // A long filter takes a while to compile.
          if (request.url.length > MAX_SHORT_URL_LENGTH) await slices.next()
          // Only once the body has arrived, because a client could send it very slowly.
          if (rule.mayTakeLong === true) idleTimeout.suspend(request)
        },
        detail: documented(rule),
      }),
    })
}

export type Kernel = ReturnType<typeof createKernel>
