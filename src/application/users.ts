import { AppError, notFound } from '../domain/errors.ts'
import { userDeletedEvent, userEvent } from '../domain/event.ts'
import type { Page } from '../domain/page.ts'
import type { Caller, Principal } from '../domain/session.ts'
import { normalizeEmail, type Role, type User } from '../domain/user.ts'
import { requireActiveActorLocked, requireAdmin } from './access.ts'
import type { Attempts } from './attempts.ts'
import { audit } from './audit.ts'
import type { Catalog } from './catalog.ts'
import { queueNotification } from './mail-tokens.ts'
import { createOwnSession } from './own-session.ts'
import { requireStrong } from './passwords.ts'
import type { UserQuery } from './ports/accounts.ts'
import type { AccessNotices } from './ports/messaging.ts'
import type { ReadTx, Tx, UnitOfWork } from './ports/persistence.ts'
import type { AccessTokens, OpaqueTokens, PasswordHasher } from './ports/security.ts'
import type { Clock, Reserve } from './ports/system.ts'
import { createRegistrations, type Registrations } from './registrations.ts'
import type { TokenPair } from './token-issuer.ts'
import {
  announceAddressChange,
  changesOf,
  deleteForbiddenLinks,
  endAccess,
  isSameUser,
  requestEmailChange,
} from './user-changes.ts'
import { createUserReferenceCheck } from './user-references.ts'

export interface UserChanges {
  readonly name?: string
  readonly email?: string
  readonly isActive?: boolean
  readonly role?: Role
  /** Required to change one's own address. */
  readonly currentPassword?: string
}

export interface PasswordChange {
  readonly currentPassword: string
  readonly newPassword: string
}

export interface Users extends Registrations {
  /** An active user whose verified address is exactly this one. Throws `not_found`. */
  lookup(actor: Principal, email: string): Promise<Pick<User, 'id' | 'name'>>
  /** Admins only: throws `forbidden`. */
  list(actor: Principal, query: UserQuery): Promise<Page<User>>
  /** Returns the actor or, for an admin, any user. Throws `not_found`. */
  get(actor: Principal, id: number): Promise<User>
  /**
   * Everyone may change their own name and, with their password, their address, which takes effect when the link mailed
   * to it is used. Admins may also change another's name and address, and anyone's role and whether they are active.
   * Throws `not_found`, `forbidden`, `email_taken`, `last_admin`, `password_required`, `wrong_password`,
   * `too_many_requests`.
   */
  update(actor: Caller, id: number, changes: UserChanges): Promise<User>
  /**
   * Ends every other session and the signed links that the actor made, and notifies the actor by mail. The refresh
   * tokens of this session stop working. With `renew`, its access tokens stop working too, and a new session replaces
   * it, whose tokens are returned. Otherwise the result is null, and its access tokens work until they expire. Throws
   * `weak_password`, `wrong_password`, `too_many_requests`.
   */
  changePassword(actor: Caller, change: PasswordChange, renew: boolean): Promise<TokenPair | null>
  /**
   * Deletes the actor's own account, with their password, or, for an admin, any account. Throws `not_found`,
   * `last_admin`, `password_required`, `wrong_password`, `too_many_requests`, and `referenced` if a record of someone else
   * references the account and does not allow its deletion.
   */
  remove(actor: Caller, id: number, currentPassword?: string): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly catalog: Catalog
  readonly passwords: PasswordHasher
  readonly opaqueTokens: OpaqueTokens
  readonly notices: AccessNotices
  readonly attempts: Attempts
  readonly accessTokens: AccessTokens
  readonly clock: Clock
  readonly accessTtlMs: number
  readonly refreshTtlMs: number
  readonly signup: 'open' | 'closed'
  readonly reserve: Reserve
}

const findVisible = async (tx: ReadTx, actor: Principal, id: number): Promise<User> => {
  const user = actor.userId === id || actor.role === 'admin' ? await tx.users.findById(id) : null
  if (user === null) throw notFound('User')
  return user
}

const passwordRequired = (what: string) => new AppError('password_required', `${what} needs current_password`)

const wrongPassword = () => new AppError('wrong_password', 'The current password is wrong')

/** Invalidates mailed links for a new password or another address, because a thief may have requested them. */
const deleteResetAndAddressChangeTokens = async (tx: Tx, user: User): Promise<void> => {
  await tx.mailTokens.delete(user.id, 'reset')
  const pending = await tx.mailTokens.findByUser(user.id, 'verify')
  if (pending !== null && pending.email !== user.email) await tx.mailTokens.delete(user.id, 'verify')
}

const requireRemainingAdmin = async (tx: Tx, before: User, after: User | null): Promise<void> => {
  const isActiveAdmin = (user: User | null) => user?.isActive && user.role === 'admin'
  if (!isActiveAdmin(before) || isActiveAdmin(after)) return
  if ((await tx.users.countActiveAdmins()) <= 1)
    throw new AppError('last_admin', 'The last active admin cannot be removed')
}

/** Returns the user as of when the password was checked. Throws `wrong_password`, `too_many_requests`. */
const createPasswordCheck = ({ unitOfWork, passwords, attempts }: Deps) => {
  return async (actor: Caller, password: string): Promise<User> => {
    const user = await unitOfWork.read((tx) => findVisible(tx, actor, actor.userId))
    const { address } = actor
    const tried = { kind: 'current password', account: user.id, user, address } as const
    await attempts.count(tried)
    if (!(await passwords.verify(password, user.passwordHash, address))) throw wrongPassword()
    await attempts.succeeded(tried)
    return user
  }
}

const createUserUpdate = (
  { unitOfWork, opaqueTokens, notices, attempts, clock }: Deps,
  checkPassword: ReturnType<typeof createPasswordCheck>,
): Users['update'] => {
  return async (actor, id, { name, email, isActive, role, currentPassword }) => {
    const isSelf = actor.userId === id
    const address = email === undefined ? null : normalizeEmail(email)
    const seen = await unitOfWork.read((tx) => findVisible(tx, actor, id))
    if (isActive !== undefined || role !== undefined) requireAdmin(actor)
    const movesSelf = isSelf && address !== null && address !== seen.email
    if (movesSelf && currentPassword === undefined) {
      throw passwordRequired('Changing your address')
    }
    const checked = currentPassword !== undefined && isSelf ? await checkPassword(actor, currentPassword) : seen
    // Each attempt sends a mail to an address that the caller chooses, and reveals whether it is taken.
    if (movesSelf) await attempts.count({ kind: 'new address', account: actor.userId })
    const now = clock.now()
    const { before, updated } = await unitOfWork.write(async (tx) => {
      const current = await requireActiveActorLocked(tx, actor, now, id)
      if (isActive !== undefined || role !== undefined) requireAdmin(current)
      const before = await findVisible(tx, current, id)
      if (movesSelf && before.passwordHash !== checked.passwordHash) throw wrongPassword()
      const given = { ...before, isActive: isActive ?? before.isActive, role: role ?? before.role, updatedAt: now }
      const isRequested = isSelf && address !== null && address !== before.email
      let after: User = { ...given, name: name === undefined ? before.name : name.trim() }
      if (address !== null && address !== before.email) {
        if (isSelf) await requestEmailChange(tx, opaqueTokens, before, address, now)
        else {
          await announceAddressChange(tx, opaqueTokens, before, address, now)
          after = { ...after, email: address, emailVerified: false }
        }
      }
      const isSame = isSameUser(before, after)
      if (!isSame || isRequested) {
        const details = changesOf(before, after, isRequested)
        await audit(tx, current, 'user.updated', { subject: `users/${id}`, details, now })
      }
      if (isSame) return { before, updated: before }
      await requireRemainingAdmin(tx, before, after)
      if (before.isActive && !after.isActive) await endAccess(tx, id)
      await tx.users.update(after)
      const event = userEvent(before, after, actor.userId, now)
      if (event !== null) await tx.events.append(event)
      await deleteForbiddenLinks(tx, before, after)
      return { before, updated: after }
    })
    // Changing a name does not change anyone's rights; rules may name an address.
    const { role: formerRole, isActive: wasActive, email: formerEmail } = before
    if (formerRole !== updated.role || wasActive !== updated.isActive || formerEmail !== updated.email) {
      await notices.publish(id)
    }
    return updated
  }
}

export const createUsers = (deps: Deps): Users => {
  const { unitOfWork, passwords, opaqueTokens, notices, clock } = deps
  const checkPassword = createPasswordCheck(deps)
  const ownSession = createOwnSession(deps)
  const requireUnreferenced = createUserReferenceCheck(deps)

  return {
    ...createRegistrations(deps),

    async list(actor, query) {
      requireAdmin(actor)
      return unitOfWork.read((tx) => tx.users.list(query))
    },

    get: (actor, id) => unitOfWork.read((tx) => findVisible(tx, actor, id)),

    lookup: (_, email) =>
      unitOfWork.read(async (tx) => {
        const user = await tx.users.findByEmail(normalizeEmail(email))
        if (user === null || !user.isActive || !user.emailVerified) throw notFound('User')
        return { id: user.id, name: user.name }
      }),

    update: createUserUpdate(deps, checkPassword),

    async changePassword(actor, { currentPassword, newPassword }, renew) {
      const user = await checkPassword(actor, currentPassword)
      requireStrong(newPassword, user.email)
      const passwordHash = await passwords.hash(newPassword, actor.address)
      const now = clock.now()
      const pair = await unitOfWork.write(async (tx) => {
        const caller = await requireActiveActorLocked(tx, actor, now)
        const current = await findVisible(tx, caller, actor.userId)
        if (current.passwordHash !== user.passwordHash) throw wrongPassword()
        await tx.users.update({ ...current, passwordHash, updatedAt: now })
        await deleteResetAndAddressChangeTokens(tx, current)
        await tx.fileLinks.deleteAll({ creatorId: actor.userId })
        await queueNotification(tx, opaqueTokens, { user: current, template: 'password-changed', now })
        await audit(tx, caller, 'password.changed', { subject: `users/${actor.userId}`, now })
        return renew ? ownSession.renew(tx, actor, now) : ownSession.endRefreshing(tx, actor, now)
      })
      await notices.publish(actor.userId)
      return pair === null ? null : pair()
    },

    async remove(actor, id, currentPassword) {
      const isSelf = actor.userId === id
      if (isSelf && currentPassword === undefined) throw passwordRequired('Deleting your account')
      const checked = isSelf && currentPassword !== undefined ? await checkPassword(actor, currentPassword) : null
      await unitOfWork.read((tx) => findVisible(tx, actor, id))
      await requireUnreferenced(id)
      await unitOfWork.write(async (tx) => {
        const now = clock.now()
        const current = await requireActiveActorLocked(tx, actor, now, id)
        const user = await findVisible(tx, current, id)
        if (checked !== null && user.passwordHash !== checked.passwordHash) throw wrongPassword()
        await requireRemainingAdmin(tx, user, null)
        // Sessions are deleted before the user, because requests that still use one may look up the user.
        await tx.sessions.deleteAll(id, null)
        await tx.fileLinks.deleteAll({ creatorId: id })
        await tx.fileLinks.deleteAll({ ownerId: id })
        await tx.users.delete(id)
        await tx.events.append(userDeletedEvent(user, actor.userId, now))
        await audit(tx, current, 'user.deleted', { subject: `users/${id}`, now })
        await tx.jobs.enqueue({ kind: 'forget-user', payload: { userId: id }, now })
      })
      await notices.publish(id)
    },
  }
}
