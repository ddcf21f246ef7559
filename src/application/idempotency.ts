import { AppError } from '../domain/errors.ts'
import { IDEMPOTENCY_TTL_MS, type StoredResponse } from '../domain/idempotency.ts'
import type { Principal } from '../domain/session.ts'
import type { Instant, Role } from '../domain/user.ts'
import type { Tx } from './ports/persistence.ts'

/** A client's request that must take effect only once, however often it is sent. */
export interface IdempotencyRequest<T> {
  readonly key: string
  readonly route: string
  /** SHA-256 of the request. */
  readonly fingerprint: Uint8Array
  /** The response to store. */
  readonly responseOf: (result: T) => StoredResponse
}

/** The result of this request, or the stored response of an earlier one. */
export type IdempotentResult<T> = { readonly result: T } | { readonly replayed: StoredResponse }

export const keyInUse = () =>
  new AppError('idempotency_in_progress', 'A request with this Idempotency-Key is still running', {
    retryAfterSeconds: 1,
  })

export const keyMismatch = () =>
  new AppError('idempotency_mismatch', 'The Idempotency-Key was used for another request')

export const sameBytes = (one: Uint8Array, other: Uint8Array) =>
  one.length === other.length && one.every((byte, index) => byte === other[index])

/** The work that must happen only once. */
export interface IdempotentEffect<T> {
  readonly work: () => Promise<T>
  /** The owners of the response's content: it is replayed only to a caller who may read all of it. */
  readonly owners: (result: T) => readonly (number | null)[]
}

/** A user may always read their own content; other users' content requires an admin. */
const roleFor = (userId: number, owners: readonly (number | null)[]): Role =>
  owners.every((ownerId) => ownerId === userId) ? 'user' : 'admin'

/**
 * Does `work` unless the same request was done with this key within 24 hours. The response is stored in the same
 * transaction as the effect, so neither exists without the other. `actor` must have current rights (see
 * `requireActiveActor`). Throws `idempotency_mismatch` if the request differs, `not_found` if the actor may no longer
 * read the response.
 */
export const withIdempotency = async <T>(
  tx: Tx,
  actor: Principal,
  idempotency: IdempotencyRequest<T> | null,
  now: Instant,
  { work, owners }: IdempotentEffect<T>,
): Promise<IdempotentResult<T>> => {
  if (idempotency === null) return { result: await work() }
  const { userId } = actor
  const { key, route, fingerprint } = idempotency
  const done = await tx.idempotency.find(userId, route, key)
  if (done !== null && done.createdAt > now - IDEMPOTENCY_TTL_MS) {
    if (!sameBytes(done.fingerprint, fingerprint)) throw keyMismatch()
    if (done.role === 'admin' && actor.role !== 'admin') {
      throw new AppError('not_found', 'You may no longer read the response to this request')
    }
    return { replayed: done.response }
  }
  const result = await work()
  const role = roleFor(userId, owners(result))
  await tx.idempotency.put({
    userId,
    route,
    key,
    fingerprint,
    response: idempotency.responseOf(result),
    role,
    createdAt: now,
  })
  return { result }
}
