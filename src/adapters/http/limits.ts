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
  /** The same for a mailed token, by itself: failures to sign in keep nobody from using a link they were sent. */
  mailedTokens(address: string, headers: Headers): undefined | Promise<unknown>
  /** Forgets how often credentials were used from an address. */
  liftCredentials(address: string): void | Promise<void>
}

interface Deps {
  readonly limiter: RateLimiter
  readonly general: Rate | 'off'
  readonly credentials: Rate | 'off'
}

/** How many times what one client may use all users of one address may use together, of its /56, and of its /48. */
const ADDRESS_FACTOR = 4
const WIDER_FACTORS = [8, 16] as const
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
const tell = (own: Allowance, ceilings: readonly Allowance[], cost: number, headers: Headers): void => {
  const shown = [own, ...ceilings].find(({ allowed }) => !allowed) ?? own
  headers['ratelimit-limit'] = shown.limit
  headers['ratelimit-remaining'] = shown.remaining
  headers['ratelimit-reset'] = seconds(shown.resetIn)
  if (!shown.allowed) throw refusal(shown, cost)
}

const times = ({ limit, window }: Rate, factor: number): Rate => ({ limit: limit * factor, window })

const rememberNetworks = (): ((address: string) => Networks) => {
  const known = new Map<string, Networks>()
  return (address) => {
    const found = known.get(address)
    if (found !== undefined) return found
    if (known.size >= MAX_ADDRESSES_COUNT) known.clear()
    const networks = networksOf(address)
    known.set(address, networks)
    return networks
  }
}

export const createLimits = ({ limiter, general, credentials }: Deps): Limits => {
  const networks = rememberNetworks()

  const take = (own: Budget, ceilings: readonly Budget[], cost: number, headers: Headers) => {
    const taken = limiter.take(own.key, own.rate, cost)
    if (taken instanceof Promise) {
      const all = ceilings.map(({ key, rate }) => limiter.take(key, rate, cost))
      return Promise.all([taken, ...all]).then(([first, ...rest]) => tell(first, rest, cost, headers))
    }
    const allowances: Allowance[] = []
    // What is refused already takes nothing of what others share.
    if (taken.allowed) {
      for (const { key, rate } of ceilings) {
        const allowance = limiter.take(key, rate, cost)
        if (!(allowance instanceof Promise)) allowances.push(allowance)
      }
    }
    tell(taken, allowances, cost, headers)
    return undefined
  }

  const ofCredentials = (kind: string, address: string, headers: Headers) => {
    if (credentials === 'off') return undefined
    const { client, wider } = networks(address)
    const ceilings = wider.map((network, index) => ({
      key: `${kind}:${network}`,
      rate: times(credentials, WIDER_CREDENTIALS_FACTORS[index] ?? 1),
    }))
    return take({ key: `${kind}:${client}`, rate: credentials }, ceilings, 1, headers)
  }

  return {
    general(principal, address, headers, cost = 1) {
      if (general === 'off') return undefined
      const { client, wider } = networks(address())
      const own = principal === null ? `address:${client}` : `user:${principal.userId}`
      const ceilings = [{ key: `all:${client}`, rate: times(general, ADDRESS_FACTOR) }]
      for (const [index, network] of wider.entries()) {
        ceilings.push({ key: `all:${network}`, rate: times(general, WIDER_FACTORS[index] ?? 1) })
      }
      return take({ key: own, rate: general }, ceilings, cost, headers)
    },
    credentials: (address, headers) => ofCredentials('credentials', address, headers),
    mailedTokens: (address, headers) => ofCredentials('mailed tokens', address, headers),
    liftCredentials: (address) => limiter.clear(`credentials:${networks(address).client}`),
  }
}
