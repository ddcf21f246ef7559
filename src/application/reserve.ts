import { AppError } from '../domain/errors.ts'
import type { Principal } from '../domain/session.ts'
import type { Reserve } from './ports/system.ts'

const RETRY_AFTER_SECONDS = 60

/**
 * Call it before a write that needs space. Throws `storage_reserved` while the disk has little space left, which is
 * reserved for admins, for signing in and for freeing space. `actor` is null for someone without an account.
 */
export const requireRoom = (reserve: Reserve, actor: Pick<Principal, 'role'> | null): void => {
  if (actor?.role === 'admin' || !reserve.isReached()) return
  throw new AppError('storage_reserved', 'The remaining storage is reserved', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  })
}
