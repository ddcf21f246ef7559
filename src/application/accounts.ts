import { AppError } from '../domain/errors.ts'
import { userEvent } from '../domain/event.ts'
import type { MailToken, MailTokenPurpose } from '../domain/mail-token.ts'
import { networksOf } from '../domain/network.ts'
import type { Caller, Visitor } from '../domain/session.ts'
import { type Instant, normalizeEmail } from '../domain/user.ts'
import { requireActiveActorLocked } from './access.ts'
import type { Attempts } from './attempts.ts'
import { audit } from './audit.ts'
import { ifVerified, queueNotification, requireTokenMail } from './mail-tokens.ts'
import { requireStrong } from './passwords.ts'
import type { MailTokenReader } from './ports/accounts.ts'
import type { AccessNotices } from './ports/messaging.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { OpaqueTokens, PasswordHasher } from './ports/security.ts'
import type { Clock } from './ports/system.ts'

/** The use cases behind mailed links. */
export interface Accounts {
  /** Mails a link to the actor's own address, unless it is already verified. Throws `too_many_requests`. */
  requestVerification(actor: Caller): Promise<void>
  /**
   * Verifies the address the token was mailed to. A new address replaces the old one, which gets a notification. Throws
   * `invalid_link` for a token that is unknown, used, expired or replaced, and `email_taken`.
   */
  verifyEmail(token: string, visitor: Visitor): Promise<void>
  /**
   * Queues a link if the account exists. If it does not, does the same work in the same time. Throws
   * `too_many_requests` after too many requests for one account from one source, which the address of the visitor determines.
   */
  forgotPassword(email: string, visitor: Visitor): Promise<void>
  /**
   * Sets the password, ends every session and the signed links that the owner created, and notifies the owner by mail.
   * Failed guesses at the old password no longer count, and the address of the visitor becomes a known
   * sign-in source. Throws `invalid_link`, `weak_password`.
   */
  resetPassword(token: string, password: string, visitor: Visitor): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly passwords: PasswordHasher
  readonly opaqueTokens: OpaqueTokens
  readonly notices: AccessNotices
  readonly attempts: Attempts
  readonly clock: Clock
}

const invalidLink = () => new AppError('invalid_link', 'The link is invalid, was used or has expired')

/** The token of a link, by the hash of what the link contains. Throws `invalid_link`. */
const findToken = async (
  tx: { readonly mailTokens: MailTokenReader },
  hash: Uint8Array,
  purpose: MailTokenPurpose,
  now: Instant,
): Promise<MailToken> => {
  const found = await tx.mailTokens.findByHash(hash)
  if (found === null || found.purpose !== purpose || found.expiresAt <= now) throw invalidLink()
  return found
}

const createVerifications = ({
  unitOfWork,
  opaqueTokens,
  notices,
  attempts,
  clock,
}: Deps): Pick<Accounts, 'requestVerification' | 'verifyEmail'> => ({
  async requestVerification(actor) {
    const { userId } = actor
    await attempts.count({ kind: 'verification', account: userId })
    const now = clock.now()
    await unitOfWork.write(async (tx) => {
      const current = await requireActiveActorLocked(tx, actor, now)
      const user = await tx.users.findById(userId)
      if (user === null || user.emailVerified) return
      await requireTokenMail(tx, opaqueTokens, { user, email: user.email, template: 'verify', now })
      await audit(tx, current, 'email.verification_requested', { subject: `users/${userId}`, now })
    })
  },

  async verifyEmail(token, visitor) {
    const now = clock.now()
    const userId = await unitOfWork.write(async (tx) => {
      const proven = await findToken(tx, opaqueTokens.hash(token), 'verify', now)
      const user = await tx.users.findById(proven.userId)
      if (!user?.isActive) throw invalidLink()
      await tx.mailTokens.delete(user.id, 'verify')
      const verified = { ...user, email: proven.email, emailVerified: true, updatedAt: now }
      await tx.users.update(verified)
      const event = userEvent(user, verified, user.id, now)
      if (event !== null) await tx.events.append(event)
      const owner = { ...visitor, userId: user.id }
      const details = { address_changed: proven.email !== user.email }
      await audit(tx, owner, 'email.verified', { subject: `users/${user.id}`, details, now })
      if (proven.email === user.email) return user.id
      await tx.mailTokens.delete(user.id)
      await queueNotification(tx, opaqueTokens, {
        user,
        template: 'email-changed',
        newEmail: ifVerified(user, proven.email),
        now,
      })
      return user.id
    })
    await notices.publish(userId)
  },
})

const createPasswordResets = ({
  unitOfWork,
  passwords,
  opaqueTokens,
  notices,
  attempts,
  clock,
}: Deps): Pick<Accounts, 'forgotPassword' | 'resetPassword'> => ({
  async forgotPassword(given, { address, requestId }) {
    const email = normalizeEmail(given)
    await attempts.count({ kind: 'forgotten password', account: email, address })
    const source = networksOf(address).client
    const job = {
      kind: 'password-forgotten',
      payload: { email, source, address, requestId },
      now: clock.now(),
    } as const
    await unitOfWork.write((tx) => tx.jobs.enqueue(job))
  },

  async resetPassword(token, password, visitor) {
    const { address } = visitor
    // Checked before the expensive hash, and again after it, so that only one of two concurrent resets succeeds.
    const { email } = await unitOfWork.read((tx) => findToken(tx, opaqueTokens.hash(token), 'reset', clock.now()))
    requireStrong(password, email)
    const passwordHash = await passwords.hash(password, address)
    const now = clock.now()
    const userId = await unitOfWork.write(async (tx) => {
      const proven = await findToken(tx, opaqueTokens.hash(token), 'reset', now)
      const user = await tx.users.findById(proven.userId)
      if (!user?.isActive || user.email !== proven.email) throw invalidLink()
      // A pending change of address may come from a thief.
      await tx.mailTokens.delete(user.id)
      const verified = { ...user, passwordHash, emailVerified: true, updatedAt: now }
      await tx.users.update(verified)
      const event = userEvent(user, verified, user.id, now)
      if (event !== null) await tx.events.append(event)
      await tx.sessions.deleteAll(user.id, null)
      await tx.fileLinks.deleteAll({ creatorId: user.id })
      await tx.signInSources.put({ userId: user.id, source: networksOf(address).client, usedAt: now })
      await queueNotification(tx, opaqueTokens, { user, template: 'password-changed', now })
      const owner = { ...visitor, userId: user.id }
      await audit(tx, owner, 'password.reset', { subject: `users/${user.id}`, now })
      return user.id
    })
    await notices.publish(userId)
  },
})

export const createAccounts = (deps: Deps): Accounts => ({
  ...createVerifications(deps),
  ...createPasswordResets(deps),
})
