import type { AuditDetails } from '../domain/audit.ts'
import { AppError } from '../domain/errors.ts'
import type { Instant, User } from '../domain/user.ts'
import { ifVerified, queueNotification, requireNotification, requireTokenMail } from './mail-tokens.ts'
import type { Tx } from './ports/persistence.ts'
import type { OpaqueTokens } from './ports/security.ts'

/** The details of an entry about a change: which fields changed, and rights before and after. */
export const changesOf = (before: User, after: User, newAddress: boolean): AuditDetails => {
  const fields = (['name', 'email', 'role', 'isActive'] as const).filter((field) => before[field] !== after[field])
  return {
    ...(fields.length > 0 && { changed: fields.map((field) => (field === 'isActive' ? 'is_active' : field)).join() }),
    ...(before.role !== after.role && { role_before: before.role, role_after: after.role }),
    ...(before.isActive !== after.isActive && { is_active: after.isActive }),
    ...(newAddress && { new_address_requested: true }),
  }
}

/** Whether only the time differs. */
export const isSameUser = (before: User, after: User): boolean =>
  before.name === after.name &&
  before.email === after.email &&
  before.role === after.role &&
  before.isActive === after.isActive

/**
 * Deletes the signed links of users who may no longer see the file, so that they do not work even if the right is
 * granted again.
 */
export const deleteForbiddenLinks = async (tx: Tx, before: User, after: User): Promise<void> => {
  if (before.isActive && !after.isActive) {
    await tx.fileLinks.deleteAll({ creatorId: after.id })
    await tx.fileLinks.deleteAll({ ownerId: after.id })
  }
  if (before.role === 'admin' && after.role !== 'admin') {
    await tx.fileLinks.deleteAll({ creatorId: after.id, foreign: true })
  }
}

/** Ends every session and invalidates every mailed token, so that reactivating the account restores none of them. */
export const endAccess = async (tx: Tx, userId: number): Promise<void> => {
  await tx.sessions.deleteAll(userId, null)
  await tx.mailTokens.delete(userId)
}

/** Mails a link to the new address, which replaces the old one when the link is used. */
export const requestEmailChange = async (
  tx: Tx,
  opaqueTokens: OpaqueTokens,
  user: User,
  email: string,
  now: Instant,
): Promise<void> => {
  if ((await tx.users.findByEmail(email)) !== null) throw new AppError('email_taken', 'Email already registered')
  await requireTokenMail(tx, opaqueTokens, { user, email, template: 'verify', now })
  await requireNotification(tx, opaqueTokens, {
    user,
    template: 'email-change-requested',
    newEmail: ifVerified(user, email),
    now,
  })
}

/** Notifies the old address, whose mailed links no longer work. */
export const announceAddressChange = async (
  tx: Tx,
  opaqueTokens: OpaqueTokens,
  user: User,
  email: string,
  now: Instant,
): Promise<void> => {
  await tx.mailTokens.delete(user.id)
  await queueNotification(tx, opaqueTokens, { user, template: 'email-changed', newEmail: email, now })
}
