import type { Context } from 'elysia'
import type { Allowance, RateLimiter } from '../../application/ports/security.ts'
import { AppError } from '../../domain/errors.ts'
import type { Rate } from '../../domain/measures.ts'
import { type Networks, networksOf } from '../../domain/network.ts'
import type { Principal } from '../../domain/session.ts'

type Headers = Context['set']['headers']

export interface Limits {
  /**
   * Takes `cost` from the limit of a user or, without a sign-in, of an address, and from the limits of all users of
   * that address and its networks. Throws `too_many_requests`.
   */
  general(
    principal: Principal | null,
    address: () => string,
    headers: Headers,
    cost?: number,
  ): undefined | Promise<unknown>
  /** Counts one use of an endpoint that accepts or issues credentials. Throws `too_many_requests`. */
  credentials(address: string, headers: Headers): undefined | Promise<unknown>
  /** The same for a mailed token, counted separately, so that failed sign-ins do not block the use of a mailed link. */
  mailedTokens(address: string, headers: Headers): undefined | Promise<unknown>
  /** Counts one search for a user by address; this limit cannot be turned off. Throws `too_many_requests`. */
  lookUps(principal: Principal, address: string, headers: Headers): undefined | Promise<unknown>
  /** Resets the count of credentials used from an address. */
  resetCredentials(address: string): void | Promise<void>
}

interface Deps {
  readonly limiter: RateLimiter
  readonly general: Rate | 'off'
  readonly credentials: Rate | 'off'
}

/**
 * The limits of all users of one address, of its /56 and of its /48 together, as multiples of the limit of one client.
 */
const ALL_USERS_FACTORS = [4, 8, 16] as const
/** The same for credentials, whose own limit is by address. */
const WIDER_CREDENTIALS_FACTORS = [4, 16] as const

/** Searches for users by address. */
const LOOK_UP_RATE: Rate = { limit: 10, windowMs: 60_000 }

/** A cache for frequent callers: parsing an address takes longer than a look-up. */
const MAX_ADDRESSES_COUNT = 1_000

interface Budget {
  readonly key: string
  readonly rate: Rate
}

const seconds = (milliseconds: number) => Math.max(1, Math.ceil(milliseconds / 1_000))

const refusal = ({ limit, resetInMs }: Allowance, cost: number): AppError => {
  const why = cost > limit ? `This request counts as ${cost}, and ${limit} are allowed` : 'Too many requests'
  return new AppError('too_many_requests', why, { retryAfterSeconds: seconds(resetInMs) })
}

/** `own` is the limit of the client, `ceilings` are those of its networks. */
const reportAllowance = (own: Allowance, ceilings: readonly Allowance[], cost: number, headers: Headers): void => {
  const shown = own.allowed ? (ceilings.find(({ allowed }) => !allowed) ?? own) : own
  headers['ratelimit-limit'] = shown.limit
  headers['ratelimit-remaining'] = shown.remaining
  headers['ratelimit-reset'] = seconds(shown.resetInMs)
  if (!shown.allowed) throw refusal(shown, cost)
}

const times = ({ limit, windowMs }: Rate, factor: number): Rate => ({ limit: limit * factor, windowMs })

/** The limits of an address: its own, and those of its networks. */
interface Budgets {
  readonly own: Budget
  readonly ceilings: readonly Budget[]
}

const cachedByAddress = (make: (networks: Networks) => Budgets): ((address: string) => Budgets) => {
  const known = new Map<string, Budgets>()
  return (address) => {
    const found = known.get(address)
    if (found !== undefined) return found
    if (known.size >= MAX_ADDRESSES_COUNT) known.clear()
    const budgets = make(networksOf(address))
    known.set(address, budgets)
    return budgets
  }
}

const ceilingsOf = (kind: string, networks: readonly string[], rate: Rate, factors: readonly number[]) =>
  networks.map((network, index) => ({ key: `${kind}:${network}`, rate: times(rate, factors[index] ?? 1) }))

const credentialBudgets = (kind: string, rate: Rate) =>
  cachedByAddress(({ client, wider }) => ({
    own: { key: `${kind}:${client}`, rate },
    ceilings: ceilingsOf(kind, wider, rate, WIDER_CREDENTIALS_FACTORS),
  }))

const requestBudgets = (rate: Rate) =>
  cachedByAddress(({ client, wider }) => ({
    own: { key: `address:${client}`, rate },
    ceilings: ceilingsOf('all', [client, ...wider], rate, ALL_USERS_FACTORS),
  }))

export const createLimits = ({ limiter, general, credentials }: Deps): Limits => {
  const take = ({ own, ceilings }: Budgets, cost: number, headers: Headers) => {
    const taken = limiter.take(own.key, own.rate, cost)
    if (taken instanceof Promise) {
      return taken.then(async (first) => {
        // A request that is already refused takes nothing from shared limits.
        const all = first.allowed ? ceilings.map(({ key, rate }) => limiter.take(key, rate, cost)) : []
        reportAllowance(first, await Promise.all(all), cost, headers)
      })
    }
    let shown = taken
    for (const { key, rate } of ceilings) {
      // A request that is already refused takes nothing from shared limits.
      if (!shown.allowed) break
      const allowance = limiter.take(key, rate, cost)
      if (!(allowance instanceof Promise) && !allowance.allowed) shown = allowance
    }
    reportAllowance(shown, [], cost, headers)
    return undefined
  }

  const requests = general === 'off' ? null : requestBudgets(general)
  const passwords = credentials === 'off' ? null : credentialBudgets('credentials', credentials)
  const mailed = credentials === 'off' ? null : credentialBudgets('mailed tokens', credentials)

  return {
    general(principal, address, headers, cost = 1) {
      if (requests === null) return undefined
      const budgets = requests(address())
      if (principal === null) return take(budgets, cost, headers)
      const own = { key: `user:${principal.userId}`, rate: budgets.own.rate }
      return take({ own, ceilings: budgets.ceilings }, cost, headers)
    },
    credentials: (address, headers) => (passwords === null ? undefined : take(passwords(address), 1, headers)),
    mailedTokens: (address, headers) => (mailed === null ? undefined : take(mailed(address), 1, headers)),
    lookUps(principal, address, headers) {
      const { client, wider } = networksOf(address)
      const own = { key: `look-up:${principal.userId}`, rate: LOOK_UP_RATE }
      const ceilings = ceilingsOf('all look-ups', [client, ...wider], LOOK_UP_RATE, ALL_USERS_FACTORS)
      return take({ own, ceilings }, 1, headers)
    },
    resetCredentials: (address) => (passwords === null ? undefined : limiter.clear(passwords(address).own.key)),
  }
}
