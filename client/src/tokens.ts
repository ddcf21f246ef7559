import { SkepError } from './errors.ts'
import { platform, randomKey, type SkepStorage } from './platform.ts'
import { pause, type Send } from './transport.ts'

/** The tokens of a session. */
export interface Tokens {
  readonly access: string
  readonly refresh: string
  readonly expiresAtMs: number
  readonly renewAtMs: number
}

interface TokenResponse {
  readonly access_token: string
  readonly refresh_token: string
  readonly expires_in: number
}

/** An access token is renewed this long before it expires, or at four fifths of a shorter life. */
const MAX_RENEWAL_MARGIN_MS = 60_000
const RENEWAL_MARGIN = 0.2
/** How long one tab may take to refresh, where there are no Web Locks. */
const LEASE_MS = 10_000
const LEASE_POLL_MS = 50
/** Browsers show what one tab writes to another process a little later: the next tab must not read the old tokens. */
const PROPAGATION_MS = 200

/** Lets one client at a time work, of all that share a storage. Without Web Locks by a lease in the storage. */
const createLock = (name: string, storage: SkepStorage) => {
  const leased = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = randomKey()
    const isTaken = async (): Promise<boolean> => {
      const [owner, untilMs] = ((await storage.getItem(name)) ?? '').split(' ')
      return owner !== mine && Number(untilMs) > Date.now()
    }
    do {
      while (await isTaken()) await pause(LEASE_POLL_MS)
      await storage.setItem(name, `${mine} ${Date.now() + LEASE_MS}`)
      // Two that write at the same time both see the last one afterwards.
      await pause(LEASE_POLL_MS / 2)
    } while (await isTaken())
    try {
      return await work()
    } finally {
      if (!(await isTaken())) await storage.removeItem(name)
    }
  }
  const locks = platform.navigator?.locks
  if (locks === undefined) return leased
  return <T>(work: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const hold = async () => {
        await work().then(resolve, reject)
        await pause(PROPAGATION_MS)
      }
      locks.request(name, hold).catch(reject)
    })
}

/** The tokens of a session in a storage, shared with other tabs. */
const createTokenStore = (key: string, storage: SkepStorage, changed: (tokens: Tokens | null) => void) => {
  let current: Tokens | null = null
  const set = (tokens: Tokens | null) => {
    const isNew = tokens?.access !== current?.access
    current = tokens
    if (isNew) changed(tokens)
  }
  const read = async (): Promise<Tokens | null> => {
    const text = await storage.getItem(key)
    try {
      set(text === null ? null : JSON.parse(text))
    } catch {
      set(null)
    }
    return current
  }
  // Another tab has written.
  const onStorage = (event: { readonly key: string | null }) => {
    if (event.key === key || event.key === null) void read()
  }
  platform.addEventListener?.('storage', onStorage)
  const initial = read()
  return {
    read,
    current: async () => {
      await initial
      return current
    },
    peek: () => current,
    async write(tokens: Tokens | null) {
      set(tokens)
      await (tokens === null ? storage.removeItem(key) : storage.setItem(key, JSON.stringify(tokens)))
    },
    close: () => platform.removeEventListener?.('storage', onStorage),
  }
}

/** The tokens of whoever is signed in, renewed in time by one of all clients that share the storage. */
export const createTokens = (send: Send, storage: SkepStorage, name: string) => {
  const listeners = new Set<(tokens: Tokens | null) => void>()
  const store = createTokenStore(name, storage, (tokens) => {
    for (const listener of [...listeners]) listener(tokens)
  })
  const locked = createLock(`${name}:lock`, storage)
  let renewing: Promise<Tokens | null> | null = null

  /** Asks the server for new tokens. */
  const take = async (grant: Record<string, string>): Promise<Tokens> => {
    const sentAtMs = Date.now()
    const { text } = await send('POST', '/auth/token', { body: new URLSearchParams(grant) })
    const tokens: TokenResponse = JSON.parse(text)
    const lifeMs = tokens.expires_in * 1_000
    const expiresAtMs = sentAtMs + lifeMs
    const renewAtMs = expiresAtMs - Math.min(MAX_RENEWAL_MARGIN_MS, lifeMs * RENEWAL_MARGIN)
    return { access: tokens.access_token, refresh: tokens.refresh_token, expiresAtMs, renewAtMs }
  }

  /** Replaces `rejected`, unless another tab has done so. Null if nobody is signed in any more. */
  const replace = async (rejected: string): Promise<Tokens | null> => {
    const tokens = await store.read()
    if (tokens === null || tokens.access !== rejected) return tokens
    try {
      const next = await take({ grant_type: 'refresh_token', refresh_token: tokens.refresh })
      // Somebody may have signed out, or in as somebody else.
      if ((await store.read())?.refresh === tokens.refresh) await store.write(next)
    } catch (error) {
      const isEnded = error instanceof SkepError && error.status === 400
      if (!isEnded) throw error
      if ((await store.read())?.refresh === tokens.refresh) await store.write(null)
    }
    return store.peek()
  }

  const renew = (rejected: string): Promise<Tokens | null> => {
    renewing ??= locked(() => replace(rejected)).finally(() => {
      renewing = null
    })
    return renewing
  }

  const valid = async (rejected?: string): Promise<Tokens | null> => {
    const tokens = await store.current()
    if (tokens === null) return null
    const serves = tokens.access !== rejected && tokens.renewAtMs > Date.now()
    return serves ? tokens : renew(tokens.access)
  }

  return {
    ...store,
    take,
    /** Replaces an access token that no longer serves. */
    renew,
    /** Tokens that serve for a while; null if nobody is signed in. */
    valid,
    listen(listener: (tokens: Tokens | null) => void): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
