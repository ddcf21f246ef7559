import { AppError } from '../domain/errors.ts'
import type { Principal } from '../domain/session.ts'
import type { Reserve } from './ports/system.ts'

const RETRY_AFTER_SECONDS = 60

/**
 * To be called before what takes room is written. Throws `storage_reserved` while the disk has little left, which is
 * kept for admins, for signing in and for what gives room back. `actor` is null for someone without an account.
 */
export const requireRoom = (reserve: Reserve, actor: Pick<Principal, 'role'> | null): void => {
  if (actor?.role === 'admin' || !reserve.isReached()) return
  throw new AppError('storage_reserved', 'What is left of the storage is reserved', { retryAfter: RETRY_AFTER_SECONDS })
}
