import type { DocumentDecoration } from 'elysia'
import type { Principal } from '../../domain/session.ts'

/** Who may call a route, how its calls are counted and what body it takes. Checked before anything else is read. */
export interface Rule {
  /** A function decides by itself, and is given null for someone without a token. */
  readonly who: 'anyone' | 'user' | 'admin' | ((principal: Principal | null, request: Request) => void)
  /** Accepts a static token for this route only. Such a caller has no principal. */
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
  /** Whether the body may be missing, which then counts as `{}`. */
  readonly bodyOptional?: true
  /** Whether the route honours `Idempotency-Key`. */
  readonly idempotent?: true
}

/** What the OpenAPI document shows of a rule; it keeps the mark to itself. */
interface Documented extends DocumentDecoration {
  readonly 'x-admit': Omit<Rule, 'who' | 'key' | 'opens'> & { readonly who: string; readonly key: boolean }
}

export const documented = ({ opens: _, ...rule }: Rule): Documented => ({
  'x-admit': { ...rule, who: typeof rule.who === 'string' ? rule.who : 'optional', key: rule.key !== undefined },
})
