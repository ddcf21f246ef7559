import type { DocumentDecoration } from 'elysia'
import type { Principal } from '../../domain/session.ts'

/** Who may call a route, how its requests are counted and which body it accepts. Checked before the body is read. */
export interface Rule {
  /** A function decides itself; it gets null for a caller without a token. */
  readonly who: 'anyone' | 'user' | 'admin' | ((principal: Principal | null, request: Request) => void)
  /** Accepts a static token for this route only. Such a caller has no principal. */
  readonly staticToken?: (token: string) => boolean
  readonly limit?: 'credentials' | 'mailed tokens' | 'none'
  /** Whether the request itself grants access to this route (a signed link), so that its token is ignored. */
  readonly grantsAccess?: (request: Request) => boolean
  /** Further checks before the body is read, with the unvalidated path parameters. Throws if the request is refused. */
  readonly checkAccess?: (principal: Principal, params: Readonly<Record<string, string>>) => unknown
  /** As `checkAccess`, also for callers without a token. */
  readonly checkPublicAccess?: (
    principal: Principal | null,
    params: Readonly<Record<string, string>>,
    request: Request,
  ) => unknown
  /**
   * What `checkPublicAccess` leaves to the work of the route if it has passed before. Checked before a fault of the
   * request is reported, so that nobody learns of the fault of a request that they may not make.
   */
  readonly recheck?: (principal: Principal | null, params: Readonly<Record<string, string>>) => Promise<void>
  /** `stream` leaves the body to the route, which streams it. */
  readonly body?: 'json' | 'form' | 'stream'
  /** Whether the body has the small limit: for credentials or an account. A form always has. */
  readonly smallBody?: true
  /** The limit of a JSON body, instead of `MAX_BODY_SIZE`. */
  readonly maxBodyBytes?: number
  /** Media types that a JSON body may have; `application/json` if absent. */
  readonly mediaTypes?: readonly string[]
  /** Whether a JSON body is refused if an object in it has several members of the same name. Otherwise the last one counts. */
  readonly refusesRepeatedMembers?: true
  /** Whether the response can have megabytes: a client with too much unread data is refused. */
  readonly largeResponse?: true
  /** Whether the body may be absent, which is treated as `{}`. */
  readonly bodyOptional?: true
  /** Whether the work may take longer than an idle connection is kept open. */
  readonly mayTakeLong?: true
  /** Whether the route supports `Idempotency-Key`. */
  readonly idempotent?: true
}

/** For anyone, without a rate limit. */
export const UNLIMITED: Rule = { who: 'anyone', limit: 'none' }

/** The description of a rule for the OpenAPI document, which removes it after use. */
interface Documented extends DocumentDecoration {
  readonly 'x-admit': Omit<Rule, 'who' | 'staticToken' | 'grantsAccess'> & {
    readonly who: string
    readonly staticToken: boolean
  }
}

export const documented = ({ grantsAccess: _, ...rule }: Rule): Documented => ({
  'x-admit': {
    ...rule,
    who: typeof rule.who === 'string' ? rule.who : 'optional',
    staticToken: rule.staticToken !== undefined,
  },
})
