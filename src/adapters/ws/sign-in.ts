import type { Access, Grant } from '../../application/access.ts'
import type { SocketSlots } from '../../application/ports/messaging.ts'
import type { Clock } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import { AppError } from '../../domain/errors.ts'
import { type Connection, close, echo, send, sendError } from './connection.ts'
import { CLOSE, formatCursor } from './frames.ts'
import type { Registry } from './registry.ts'

/** The user of a connection, and the expiry of the sign-in. */
export interface SignIn {
  /** Closes the connection if it does not sign in within the time limit. */
  startTimeout(connection: Connection): void
  /** Signs in, or extends a connection of the same user. */
  signIn(connection: Connection, token: string, ref?: string): Promise<void>
  /** Verifies the connection's token again; closes the connection and returns false if it is no longer valid. */
  reauthorize(connection: Connection): Promise<boolean>
}

interface Deps {
  readonly access: Access
  readonly realtime: Realtime
  readonly registry: Registry
  readonly slots: SocketSlots
  readonly maxSocketsPerUser: number
  readonly clock: Clock
  readonly signInMs: number
}

const MAX_TIMER_MS = 2 ** 31 - 1

const REFUSALS = ['invalid_token', 'inactive_user'] as const
type Refusal = (typeof REFUSALS)[number]

/** The reason why a token is no longer valid; null for any other failure. */
export const refusalOf = (error: unknown): Refusal | null =>
  error instanceof AppError ? (REFUSALS.find((code) => code === error.code) ?? null) : null

/** The current principal of a token: if rights change during the verification, it is verified again. */
const createAuthenticate =
  (access: Access) =>
  async (token: string): Promise<Grant | Refusal> => {
    for (;;) {
      const changeCount = access.rightsChangeCount()
      try {
        const grant = await access.grant(token)
        if (access.rightsChangeCount() === changeCount) return grant
      } catch (error) {
        const refusal = refusalOf(error)
        if (refusal === null) throw error
        return refusal
      }
    }
  }

/** Gives a connection the rights of a token until it expires, and tells the client. */
const createSettle = ({ realtime, clock }: Pick<Deps, 'realtime' | 'clock'>) => {
  const endAt = (connection: Connection, instant: number): void => {
    if (connection.timer !== null) clearTimeout(connection.timer)
    const left = Math.max(0, instant - clock.now())
    const onTimer = () => {
      if (clock.now() < instant && left > MAX_TIMER_MS) endAt(connection, instant)
      else close(connection, CLOSE.signedOut, 'The access token has expired')
    }
    connection.timer = setTimeout(onTimer, Math.min(left, MAX_TIMER_MS))
  }

  return (connection: Connection, token: string, grant: Grant, ref?: string): void => {
    connection.credentials = { token, grant }
    endAt(connection, grant.expiresAt)
    send(connection, {
      type: 'ready',
      client_id: connection.clientId,
      user_id: grant.principal.userId,
      expires_at: new Date(grant.expiresAt).toISOString(),
      cursor: formatCursor({ epoch: realtime.epoch(), position: realtime.position() }),
      ...echo(ref),
    })
  }
}

export const createSignIn = (deps: Deps): SignIn => {
  const { access, realtime, registry, slots, maxSocketsPerUser, signInMs } = deps
  const authenticate = createAuthenticate(access)
  const settle = createSettle(deps)

  /** So that the cursor of the first socket is not before what was committed while nobody listened. */
  const whenAwake = async (userId: number): Promise<void> => {
    try {
      while (realtime.isAsleep()) await realtime.catchUp()
    } catch (error) {
      slots.release(userId)
      throw error
    }
  }

  const first = async (connection: Connection, token: string, grant: Grant, ref?: string): Promise<void> => {
    const { userId } = grant.principal
    const changeCount = access.rightsChangeCount()
    const taken = slots.take(userId, maxSocketsPerUser)
    if (!(typeof taken === 'boolean' ? taken : await taken)) {
      close(connection, CLOSE.tooMany, 'Too many connections')
      return
    }
    await whenAwake(userId)
    // Meanwhile the client may have sent another token, or the token may have become invalid.
    if (connection.closed || connection.credentials !== null || access.rightsChangeCount() !== changeCount) {
      slots.release(userId)
      await signIn(connection, token, ref)
      return
    }
    registry.assign(connection, userId)
    settle(connection, token, grant, ref)
  }

  const signIn = async (connection: Connection, token: string, ref?: string): Promise<void> => {
    const proven = await authenticate(token)
    if (connection.closed) return
    const userId = connection.credentials?.grant.principal.userId
    if (typeof proven === 'string') {
      if (userId === undefined) close(connection, CLOSE.signedOut, 'The access token is not accepted')
      else sendError(connection, proven, 'The access token is not accepted', ref)
      return
    }
    if (userId === undefined) await first(connection, token, proven, ref)
    else if (userId === proven.principal.userId) settle(connection, token, proven, ref)
    else sendError(connection, 'forbidden', 'The token is of another user: connect anew', ref)
  }

  return {
    startTimeout(connection) {
      connection.timer = setTimeout(() => close(connection, CLOSE.signedOut, 'Nobody signed in in time'), signInMs)
    },
    signIn,
    async reauthorize(connection) {
      if (connection.credentials === null) return false
      const { token } = connection.credentials
      const proven = await authenticate(token)
      if (connection.closed) return false
      if (typeof proven === 'string') {
        close(connection, CLOSE.signedOut, 'The session or the account has ended')
        return false
      }
      connection.credentials = { token, grant: proven }
      return true
    },
  }
}
