import { AppError } from '../domain/errors.ts'
import { IDEMPOTENCY_TTL_MS, type StoredAnswer } from '../domain/idempotency.ts'
import type { Principal } from '../domain/session.ts'
import type { Instant, Role } from '../domain/user.ts'
import type { Tx } from './ports/persistence.ts'

/** A request that carries an Idempotency-Key: however often it is sent, it takes effect once. */
export interface IdempotencyRequest<T> {
  readonly key: string
  readonly route: string
  /** SHA-256 of what was sent. */
  readonly fingerprint: Uint8Array
  /** The answer to keep. */
  readonly answer: (result: T) => StoredAnswer
}

/** The result of a first request, or the stored answer when the request is a replay. */
export type IdempotentResult<T> = { readonly result: T } | { readonly replayed: StoredAnswer }

const sameBytes = (one: Uint8Array, other: Uint8Array) =>
  one.length === other.length && one.every((byte, index) => byte === other[index])

/** The effect that an Idempotency-Key guards. */
export interface IdempotentEffect<T> {
  readonly work: () => Promise<T>
  /** Who owns what the answer shows: it is repeated to someone who may read it all, and to nobody else. */
  readonly owners: (result: T) => readonly number[]
}

/** One's own things are one's own for good; those of others an admin may read. */
const roleFor = (userId: number, owners: readonly number[]): Role =>
  owners.every((ownerId) => ownerId === userId) ? 'user' : 'admin'

/**
 * Does `work` unless the same was done under this key within 24 hours. The answer is kept in the same transaction as
 * the effect: there is never one without the other. `actor` has the rights of this moment (see `requireActiveActor`).
 * Throws `idempotency_mismatch` when something else was sent, `not_found` when the answer shows what the actor may no
 * longer read.
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
    if (!sameBytes(done.fingerprint, fingerprint)) {
      throw new AppError('idempotency_mismatch', 'The Idempotency-Key was used for another request')
    }
    if (done.role === 'admin' && actor.role !== 'admin') {
      throw new AppError('not_found', 'The answer shows what you may no longer read')
    }
    return { replayed: done.answer }
  }
  const result = await work()
  const role = roleFor(userId, owners(result))
  await tx.idempotency.put({
    userId,
    route,
    key,
    fingerprint,
    answer: idempotency.answer(result),
    role,
    createdAt: now,
  })
  return { result }
}
