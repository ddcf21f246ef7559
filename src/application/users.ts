import { AppError, notFound } from '../domain/errors.ts'
import type { Page } from '../domain/page.ts'
import type { Principal } from '../domain/session.ts'
import { newUser, normalizeEmail, type Role, type User } from '../domain/user.ts'
import { requireAdmin } from './access.ts'
import type { Attempts } from './attempts.ts'
import type { AccessNotices } from './ports/messaging.ts'
import type { ReadTx, Tx, UnitOfWork, UserQuery } from './ports/persistence.ts'
import type { PasswordHasher } from './ports/security.ts'
import type { Clock } from './ports/system.ts'

export interface Registration {
  readonly email: string
  readonly name: string
  readonly password: string
}

export interface UserChanges {
  readonly name?: string
  readonly email?: string
  readonly isActive?: boolean
  readonly role?: Role
}

export interface PasswordChange {
  readonly currentPassword: string
  readonly newPassword: string
}

export interface Users {
  /** Throws `signup_closed` unless anyone may register or `actor` is an admin. */
  checkSignup(actor: Principal | null): void
  /** Creates an ordinary account. Throws `email_taken`. */
  register(registration: Registration): Promise<User>
  /** Creates a verified admin. Throws `email_taken`. For the operator, who needs no account to do it. */
  createAdmin(registration: Registration): Promise<User>
  /** Admins only: throws `forbidden`. */
  list(actor: Principal, query: UserQuery): Promise<Page<User>>
  /** Oneself or, for an admin, anyone. Throws `not_found`. */
  get(actor: Principal, id: number): Promise<User>
  /**
   * Everyone may change their own name; admins also another's name, address, role and whether the account is active.
   * Throws `not_found`, `forbidden`, `email_taken`, `last_admin`.
   */
  update(actor: Principal, id: number, changes: UserChanges): Promise<User>
  /** Ends every session but the actor's. Throws `wrong_password`, `too_many_requests`. */
  changePassword(actor: Principal, change: PasswordChange): Promise<void>
  /** Removes oneself or, for an admin, anyone. Throws `not_found`, `last_admin`. */
  remove(actor: Principal, id: number): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly passwords: PasswordHasher
  readonly notices: AccessNotices
  readonly attempts: Attempts
  readonly clock: Clock
  readonly signup: 'open' | 'closed'
}

const ofActor = async (tx: ReadTx, actor: Principal, id: number): Promise<User> => {
  const user = actor.userId === id || actor.role === 'admin' ? await tx.users.findById(id) : null
  if (user === null) throw notFound('User')
  return user
}

const keepAnAdmin = async (tx: Tx, before: User, after: User | null): Promise<void> => {
  const isActiveAdmin = (user: User | null) => user?.isActive && user.role === 'admin'
  if (!isActiveAdmin(before) || isActiveAdmin(after)) return
  if ((await tx.users.countActiveAdmins()) <= 1) throw new AppError('last_admin', 'The last active admin must stay')
}

export const createUsers = ({ unitOfWork, passwords, notices, attempts, clock, signup }: Deps): Users => {
  const create = async ({ email, name, password }: Registration, role: Role) => {
    const passwordHash = await passwords.hash(password)
    const draft = { email, name, passwordHash, now: clock.now(), role, emailVerified: role === 'admin' }
    return unitOfWork.write((tx) => tx.users.insert(newUser(draft)))
  }

  return {
    checkSignup(actor) {
      if (signup === 'closed' && actor?.role !== 'admin') throw new AppError('signup_closed', 'Sign-up is closed')
    },

    register: (registration) => create(registration, 'user'),

    createAdmin: (registration) => create(registration, 'admin'),

    async list(actor, query) {
      requireAdmin(actor)
      return unitOfWork.read((tx) => tx.users.list(query))
    },

    get: (actor, id) => unitOfWork.read((tx) => ofActor(tx, actor, id)),

    async update(actor, id, { name, email, isActive, role }) {
      if (isActive !== undefined || role !== undefined) requireAdmin(actor)
      const updated = await unitOfWork.write(async (tx) => {
        const before = await ofActor(tx, actor, id)
        if (email !== undefined && actor.userId === id) throw new AppError('forbidden', 'Not available yet')
        const address = email === undefined ? before.email : normalizeEmail(email)
        const after: User = {
          ...before,
          name: name === undefined ? before.name : name.trim(),
          email: address,
          emailVerified: before.emailVerified && address === before.email,
          isActive: isActive ?? before.isActive,
          role: role ?? before.role,
          updatedAt: clock.now(),
        }
        await keepAnAdmin(tx, before, after)
        await tx.users.update(after)
        return after
      })
      await notices.publish(id)
      return updated
    },

    async changePassword(actor, { currentPassword, newPassword }) {
      const user = await unitOfWork.read((tx) => ofActor(tx, actor, actor.userId))
      const wrong = () => new AppError('wrong_password', 'The current password is wrong')
      await attempts.count(user.email)
      if (!(await passwords.verify(currentPassword, user.passwordHash))) throw wrong()
      await attempts.succeeded(user.email)
      const passwordHash = await passwords.hash(newPassword)
      await unitOfWork.write(async (tx) => {
        const current = await ofActor(tx, actor, actor.userId)
        if (current.passwordHash !== user.passwordHash) throw wrong()
        await tx.users.update({ ...current, passwordHash, updatedAt: clock.now() })
        await tx.sessions.deleteOthers(actor.userId, actor.sessionId)
      })
      await notices.publish(actor.userId)
    },

    async remove(actor, id) {
      await unitOfWork.write(async (tx) => {
        await keepAnAdmin(tx, await ofActor(tx, actor, id), null)
        await tx.users.delete(id)
      })
      await notices.publish(id)
    },
  }
}
