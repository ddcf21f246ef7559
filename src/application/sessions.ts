import { AppError, notFound } from '../domain/errors.ts'
import type { Page } from '../domain/page.ts'
import type { Caller, Principal, Session } from '../domain/session.ts'
import { requireActiveActorLocked, requireAdmin } from './access.ts'
import { audit } from './audit.ts'
import { requireTokenMail } from './mail-tokens.ts'
import type { SessionQuery } from './ports/accounts.ts'
import type { AccessNotices } from './ports/messaging.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { OpaqueTokens, PasswordHasher } from './ports/security.ts'
import type { Clock } from './ports/system.ts'

type ListQuery = Omit<SessionQuery, 'userId' | 'aliveAt'>

/** A user's own sessions and, for admins, those of anyone. */
export interface Sessions {
  list(actor: Principal, query: ListQuery): Promise<Page<Session>>
  /** Throws `not_found`, also for another's session. */
  end(actor: Caller, id: number): Promise<void>
  /** Ends every session, the actor's too, and the signed links that the actor made. */
  endAll(actor: Caller): Promise<void>
  /** Admins only: throws `forbidden`, `not_found`. */
  listOf(actor: Principal, userId: number, query: ListQuery): Promise<Page<Session>>
  /**
   * Ends every session of a user. With `forceReset` their password no longer signs in, and a link to choose another is
   * mailed to them. Admins only: throws `forbidden`, `not_found`, and `inactive_user` if the account could not use the
   * reset link.
   */
  endAllOf(actor: Caller, userId: number, forceReset: boolean): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly passwords: PasswordHasher
  readonly opaqueTokens: OpaqueTokens
  readonly notices: AccessNotices
  readonly clock: Clock
}

export const createSessions = ({ unitOfWork, passwords, opaqueTokens, notices, clock }: Deps): Sessions => ({
  list: ({ userId }, query) => unitOfWork.read((tx) => tx.sessions.list({ ...query, userId, aliveAt: clock.now() })),

  async end(actor, id) {
    const { userId } = actor
    const now = clock.now()
    await unitOfWork.write(async (tx) => {
      const current = await requireActiveActorLocked(tx, actor, now)
      const session = await tx.sessions.findById(id)
      if (session?.userId !== userId) throw notFound('Session')
      await tx.sessions.delete(id)
      await audit(tx, current, 'session.ended', { subject: `users/${userId}`, details: { session: id }, now })
    })
    await notices.publish(userId)
  },

  async endAll(actor) {
    const { userId } = actor
    const now = clock.now()
    await unitOfWork.write(async (tx) => {
      const current = await requireActiveActorLocked(tx, actor, now)
      await tx.sessions.deleteAll(userId, null)
      await tx.fileLinks.deleteAll({ creatorId: userId })
      await audit(tx, current, 'session.ended', { subject: `users/${userId}`, details: { session: 'all' }, now })
    })
    await notices.publish(userId)
  },

  async listOf(actor, userId, query) {
    requireAdmin(actor)
    return unitOfWork.read(async (tx) => {
      if ((await tx.users.findById(userId)) === null) throw notFound('User')
      return tx.sessions.list({ ...query, userId, aliveAt: clock.now() })
    })
  },

  async endAllOf(actor, userId, forceReset) {
    requireAdmin(actor)
    // The hash of a random password that nobody knows.
    const passwordHash = forceReset ? await passwords.hash(opaqueTokens.generate(), '') : null
    const now = clock.now()
    await unitOfWork.write(async (tx) => {
      const current = await requireActiveActorLocked(tx, actor, now, userId)
      requireAdmin(current)
      const user = await tx.users.findById(userId)
      if (user === null) throw notFound('User')
      await tx.sessions.deleteAll(userId, null)
      await tx.fileLinks.deleteAll({ creatorId: userId })
      const details = { session: 'all', force_reset: forceReset }
      await audit(tx, current, 'session.ended', { subject: `users/${userId}`, details, now })
      if (passwordHash === null) return
      if (!user.isActive) throw new AppError('inactive_user', 'An inactive account cannot reset its password')
      await tx.mailTokens.delete(userId)
      await tx.users.update({ ...user, passwordHash, updatedAt: now })
      await requireTokenMail(tx, opaqueTokens, { user, email: user.email, template: 'reset', now })
    })
    await notices.publish(userId)
  },
})
