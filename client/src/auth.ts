import { SkepError } from './errors.ts'
import type { SkepStorage } from './platform.ts'
import { createTokens, type Tokens } from './tokens.ts'
import type { Send } from './transport.ts'

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

const userIdOf = (token: string): number => {
  const payload = token.split('.')[1] ?? ''
  const { sub } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
  return Number(sub)
}

const sessionOf = (tokens: Tokens | null): Session | null =>
  tokens && { userId: userIdOf(tokens.access), accessToken: tokens.access, expiresAt: new Date(tokens.expiresAtMs) }

export const createAuth = (send: Send, storage: SkepStorage, name: string): Credentials => {
  const tokens = createTokens(send, storage, name)

  const auth: Auth = {
    async signUp(account) {
      return JSON.parse((await send('POST', '/users/', { json: account })).text)
    },
    async signIn({ email, password }) {
      await tokens.current()
      const taken = await tokens.take({ grant_type: 'password', username: email, password })
      await tokens.write(taken)
      return sessionFor(taken)
    },
    async signOut() {
      const ended = await tokens.read()
      await tokens.write(null)
      if (ended === null) return
      // Without an answer the session ends when its refresh token expires.
      await send('POST', '/auth/revoke', { body: new URLSearchParams({ token: ended.refresh }) }).catch(() => {})
    },
    session: async () => sessionOf(await tokens.valid()),
    async refresh() {
      const former = await tokens.read()
      return sessionFor(former && (await tokens.renew(former.access)))
    },
    onAuthChange(listener) {
      let isOpen = true
      const notify = (current: Tokens | null) => listener(sessionOf(current))
      const stop = tokens.listen(notify)
      void tokens.current().then((current) => isOpen && notify(current))
      return () => {
        isOpen = false
        stop()
      }
    },
  }

  return {
    auth,
    token: async (rejected) => (await tokens.valid(rejected))?.access ?? null,
    renewAtMs: () => tokens.peek()?.renewAtMs ?? null,
    onToken: (listener) => tokens.listen((current) => listener(current?.access ?? null)),
    close: tokens.close,
  }
}

const sessionFor = (tokens: Tokens | null): Session => {
  const session = sessionOf(tokens)
  if (session === null) throw new SkepError('unauthenticated', 'Nobody is signed in')
  return session
}
