import type { Context } from 'elysia'
import type { Allowance, RateLimiter } from '../../application/ports/security.ts'
import { AppError } from '../../domain/errors.ts'
import type { Rate } from '../../domain/measures.ts'
import { type Networks, networksOf } from '../../domain/network.ts'
import type { Principal } from '../../domain/session.ts'

type Headers = Context['set']['headers']

export interface Limits {
  /**
   * Takes `cost` from what a user or, before anyone signed in, an address may use, and from what all users of that
   * address and of the networks around it may use together. Throws `too_many_requests`.
   */
  general(
    principal: Principal | null,
    address: () => string,
    headers: Headers,
    cost?: number,
  ): undefined | Promise<unknown>
  /** Counts one use of an endpoint that takes or gives credentials. Throws `too_many_requests`. */
  credentials(address: string, headers: Headers): undefined | Promise<unknown>
  /** The same for a mailed token, counted separately: failed sign-ins do not block the use of a mailed link. */
  mailedTokens(address: string, headers: Headers): undefined | Promise<unknown>
  /** Forgets how often credentials were used from an address. */
  resetCredentials(address: string): void | Promise<void>
}

interface Deps {
  readonly limiter: RateLimiter
  readonly general: Rate | 'off'
  readonly credentials: Rate | 'off'
}

/** How many times what one client may use all users of one address may use together, of its /56, and of its /48. */
const ALL_USERS_FACTORS = [4, 8, 16] as const
/** The same of one address for credentials, which are counted by address to begin with. */
const WIDER_CREDENTIALS_FACTORS = [4, 16] as const

/** Of those who call often: parsing an address takes longer than finding it. */
const MAX_ADDRESSES_COUNT = 1_000

interface Budget {
  readonly key: string
  readonly rate: Rate
}

const seconds = (milliseconds: number) => Math.max(1, Math.ceil(milliseconds / 1_000))

const refusal = ({ limit, resetIn }: Allowance, cost: number): AppError => {
  const why = cost > limit ? `This request counts as ${cost}, and ${limit} are allowed` : 'Too many requests'
  return new AppError('too_many_requests', why, { retryAfter: seconds(resetIn) })
}

/** `own` is of the client alone, `ceilings` of the networks it is in. */
const reportAllowance = (own: Allowance, ceilings: readonly Allowance[], cost: number, headers: Headers): void => {
  const shown = [own, ...ceilings].find(({ allowed }) => !allowed) ?? own
  headers['ratelimit-limit'] = shown.limit
  headers['ratelimit-remaining'] = shown.remaining
  headers['ratelimit-reset'] = seconds(shown.resetIn)
  if (!shown.allowed) throw refusal(shown, cost)
}

const times = ({ limit, window }: Rate, factor: number): Rate => ({ limit: limit * factor, window })

/** What the requests of an address are counted against: its own budget, and the ceilings of the networks it is in. */
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
        // What is refused already takes nothing of what others share.
        const all = first.allowed ? ceilings.map(({ key, rate }) => limiter.take(key, rate, cost)) : []
        reportAllowance(first, await Promise.all(all), cost, headers)
      })
    }
    let shown = taken
    for (const { key, rate } of ceilings) {
      // What is refused already takes nothing of what others share.
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
    resetCredentials: (address) => (passwords === null ? undefined : limiter.clear(passwords(address).own.key)),
  }
}
