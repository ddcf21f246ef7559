import { SkepError } from './errors.ts'
import { platform, randomKey, type SkepStorage } from './platform.ts'
import { pause, type Send } from './transport.ts'

/** Somebody who is signed in. */
export interface Session {
  readonly userId: number
  readonly accessToken: string
  /** When the access token expires, by the clock of this device. It is renewed before. */
  readonly expiresAt: Date
}

/** An account. */
export interface User {
  readonly id: number
  readonly email: string
  readonly name: string
  readonly role: 'user' | 'admin'
  readonly is_active: boolean
  readonly email_verified: boolean
  readonly created_at: string
  readonly updated_at: string
}

export interface Auth {
  /**
   * Makes an account. It is not signed in yet.
   *
   * @example
   * ```ts
   * const user = await client.auth.signUp({ email: 'cleo@example.com', name: 'Cleo', password: 'correct horse' })
   * console.log(user.id)
   * ```
   */
  signUp(account: { readonly email: string; readonly name: string; readonly password: string }): Promise<User>
  /**
   * Signs in, in every tab that shares the storage.
   *
   * @example
   * ```ts
   * const session = await client.auth.signIn({ email: 'ann@example.com', password: 'correct horse' })
   * console.log(session.userId)
   * ```
   */
  signIn(credentials: { readonly email: string; readonly password: string }): Promise<Session>
  /**
   * Signs out here at once, and ends the session at the server if it can be reached.
   *
   * @example
   * ```ts
   * await client.auth.signOut()
   * ```
   */
  signOut(): Promise<void>
  /**
   * The session, if somebody is signed in.
   *
   * @example
   * ```ts
   * const session = await client.auth.session()
   * console.log(session === null ? 'Signed out' : session.userId)
   * ```
   */
  session(): Promise<Session | null>
  /**
   * Renews the tokens now. Calls, and lists that are live, do so by themselves. Tabs that share a storage renew once.
   *
   * @example
   * ```ts
   * await client.auth.refresh()
   * ```
   */
  refresh(): Promise<Session>
  /**
   * Calls the listener with the present session, and whenever it changes: by a sign-in, renewed tokens, a sign-out, an
   * end by the server, here or in another tab. Returns a function that ends this.
   *
   * @example
   * ```ts
   * const stop = client.auth.onAuthChange((session) => console.log(session?.userId))
   * stop()
   * ```
   */
  onAuthChange(listener: (session: Session | null) => void): () => void
}

interface Tokens {
  readonly access: string
  readonly refresh: string
  readonly expiresAtMs: number
  readonly renewAtMs: number
}

/** What the rest of the client needs of {@link Auth}. */
export interface Credentials {
  readonly auth: Auth
  /** An access token that is valid for a while; null if nobody is signed in. `rejected` is one that no longer serves. */
  token(rejected?: string): Promise<string | null>
  /** When the token should be renewed; null if nobody is signed in. */
  renewAtMs(): number | null
  onToken(listener: (token: string | null) => void): () => void
  close(): void
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

const userIdOf = (token: string): number => {
  const payload = token.split('.')[1] ?? ''
  const { sub } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
  return Number(sub)
}

const sessionOf = (tokens: Tokens | null): Session | null =>
  tokens && { userId: userIdOf(tokens.access), accessToken: tokens.access, expiresAt: new Date(tokens.expiresAtMs) }

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

export const createAuth = (send: Send, storage: SkepStorage, name: string): Credentials => {
  const listeners = new Set<(tokens: Tokens | null) => void>()
  const store = createTokenStore(name, storage, (tokens) => {
    for (const listener of [...listeners]) listener(tokens)
  })
  const locked = createLock(`${name}:lock`, storage)
  let renewing: Promise<Tokens | null> | null = null

  const listen = (listener: (tokens: Tokens | null) => void): (() => void) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  const takeTokens = async (grant: Record<string, string>): Promise<Tokens> => {
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
      const next = await takeTokens({ grant_type: 'refresh_token', refresh_token: tokens.refresh })
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

  const auth: Auth = {
    async signUp(account) {
      return JSON.parse((await send('POST', '/users/', { json: account })).text)
    },
    async signIn({ email, password }) {
      await store.current()
      const tokens = await takeTokens({ grant_type: 'password', username: email, password })
      await store.write(tokens)
      return sessionFor(tokens)
    },
    async signOut() {
      const tokens = await store.read()
      await store.write(null)
      if (tokens === null) return
      // Without an answer the session ends when its refresh token expires.
      await send('POST', '/auth/revoke', { body: new URLSearchParams({ token: tokens.refresh }) }).catch(() => {})
    },
    session: async () => sessionOf(await valid()),
    async refresh() {
      const tokens = await store.read()
      return sessionFor(tokens && (await renew(tokens.access)))
    },
    onAuthChange(listener) {
      let isOpen = true
      const notify = (tokens: Tokens | null) => listener(sessionOf(tokens))
      const stop = listen(notify)
      void store.current().then((tokens) => isOpen && notify(tokens))
      return () => {
        isOpen = false
        stop()
      }
    },
  }

  return {
    auth,
    token: async (rejected) => (await valid(rejected))?.access ?? null,
    renewAtMs: () => store.peek()?.renewAtMs ?? null,
    onToken: (listener) => listen((tokens) => listener(tokens?.access ?? null)),
    close: store.close,
  }
}

const sessionFor = (tokens: Tokens | null): Session => {
  const session = sessionOf(tokens)
  if (session === null) throw new SkepError('unauthenticated', 'Nobody is signed in')
  return session
}
