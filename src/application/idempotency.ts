import { AppError } from '../domain/errors.ts'
import { IDEMPOTENCY_TTL, type StoredAnswer } from '../domain/idempotency.ts'
import type { Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import type { Tx } from './ports/persistence.ts'

/** A client's wish that what it sends takes effect once, however often it is sent. */
export interface Once<T> {
  readonly key: string
  readonly route: string
  /** SHA-256 of what was sent. */
  readonly fingerprint: Uint8Array
  /** The answer to keep. */
  readonly answer: (result: T) => StoredAnswer
}

/** What was done now, or the answer to when it was done before. */
export type Outcome<T> = { readonly result: T } | { readonly replayed: StoredAnswer }

const sameBytes = (one: Uint8Array, other: Uint8Array) =>
  one.length === other.length && one.every((byte, index) => byte === other[index])

/**
 * Does `work` unless the same was done under this key within 24 hours. The answer is kept in the same transaction as
 * the effect: there is never one without the other. Throws `idempotency_mismatch` when something else was sent.
 */
export const once = async <T>(
  tx: Tx,
  { userId }: Principal,
  wish: Once<T> | null,
  now: Instant,
  work: () => Promise<T>,
): Promise<Outcome<T>> => {
  if (wish === null) return { result: await work() }
  const { key, route, fingerprint } = wish
  const done = await tx.idempotency.find(userId, route, key)
  if (done !== null && done.createdAt > now - IDEMPOTENCY_TTL) {
    if (sameBytes(done.fingerprint, fingerprint)) return { replayed: done.answer }
    throw new AppError('idempotency_mismatch', 'The Idempotency-Key was used for another request')
  }
  const result = await work()
  await tx.idempotency.put({ userId, route, key, fingerprint, answer: wish.answer(result), createdAt: now })
  return { result }
}
