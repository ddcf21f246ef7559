import { SERVER_ORIGIN } from '../domain/audit.ts'
import { AppError } from '../domain/errors.ts'
import type { Caller, Principal, Visitor } from '../domain/session.ts'
import { type Instant, newUser, type User } from '../domain/user.ts'
import { requireActiveActor } from './access.ts'
import { type AuditActor, audit } from './audit.ts'
import { type IdempotencyRequest, type IdempotentResult, withIdempotency } from './idempotency.ts'
import { queueTokenMail } from './mail-tokens.ts'
import { requireStrong } from './passwords.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { OpaqueTokens, PasswordHasher } from './ports/security.ts'
import type { Clock, Reserve } from './ports/system.ts'
import { requireRoom } from './reserve.ts'

export interface Registration {
  readonly email: string
  readonly name: string
  readonly password: string
}

/** A request for an admin that comes over the network. */
export interface AdminRequest {
  readonly visitor: Visitor
  /** Runs in the transaction that creates the admin. Throws if it must not. */
  readonly check: (tx: Tx) => Promise<void>
}

/** Creation of accounts. */
export interface Registrations {
  /** Throws `signup_closed` unless anyone may register or `actor` is an admin. */
  checkSignup(actor: Principal | null): void
  /**
   * Creates an ordinary account and queues its welcome mail. `idempotency` is used only for a caller who is signed in.
   * Throws `signup_closed`, `weak_password`, `email_taken`.
   */
  register(
    author: Caller | Visitor,
    registration: Registration,
    idempotency: IdempotencyRequest<User> | null,
  ): Promise<IdempotentResult<User>>
  /**
   * Creates a verified admin. Throws `weak_password`, `email_taken`. For the operator, who needs no account, and for
   * the setup link, which checks its condition in the same transaction.
   */
  createAdmin(registration: Registration, request?: AdminRequest): Promise<User>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly passwords: PasswordHasher
  readonly opaqueTokens: OpaqueTokens
  readonly clock: Clock
  readonly signup: 'open' | 'closed'
  readonly reserve: Reserve
}

interface Account {
  readonly email: string
  readonly name: string
  readonly passwordHash: string
  readonly now: Instant
}

export const createRegistrations = (deps: Deps): Registrations => {
  const { unitOfWork, passwords, opaqueTokens, clock, signup, reserve } = deps

  const checkSignup = (actor: Principal | null): void => {
    if (signup === 'closed' && actor?.role !== 'admin') throw new AppError('signup_closed', 'Sign-up is closed')
  }

  const add = async (tx: Tx, account: Account, author: AuditActor): Promise<User> => {
    const user = await tx.users.insert(newUser(account))
    await queueTokenMail(tx, opaqueTokens, { user, email: user.email, template: 'welcome', now: account.now })
    const details = { role: user.role }
    await audit(tx, author, 'user.created', { subject: `users/${user.id}`, details, now: account.now })
    return user
  }

  /**
   * The request contains a password, and a plain hash of it would allow fast guessing, so the stored fingerprint is
   * keyed with the server's secret.
   */
  const withKeyedHash = <T>(idempotency: IdempotencyRequest<T>): IdempotencyRequest<T> => {
    const fingerprint = opaqueTokens.hash(opaqueTokens.derive(`registration ${idempotency.fingerprint.toHex()}`))
    return { ...idempotency, fingerprint }
  }

  return {
    checkSignup,

    async register(author, { email, name, password }, idempotency) {
      const actor = author.userId === null ? null : author
      checkSignup(actor)
      requireRoom(reserve, actor)
      requireStrong(password, email)
      const account = { email, name, passwordHash: await passwords.hash(password, author.address), now: clock.now() }
      return unitOfWork.write(async (tx) => {
        if (actor === null) return { result: await add(tx, account, author) }
        const current = await requireActiveActor(tx, actor, account.now)
        checkSignup(current)
        return withIdempotency(tx, current, idempotency === null ? null : withKeyedHash(idempotency), account.now, {
          work: () => add(tx, account, current),
          // A caller who is not an admin sees the account only in this response, and may see the response again.
          owners: (user) => [current.role === 'admin' ? user.id : current.userId],
        })
      })
    },

    async createAdmin({ email, name, password }, request) {
      requireStrong(password, email)
      const passwordHash = await passwords.hash(password, request?.visitor.address)
      const draft = { email, name, passwordHash, now: clock.now(), role: 'admin', emailVerified: true } as const
      return unitOfWork.write(async (tx) => {
        await request?.check(tx)
        const user = await tx.users.insert(newUser(draft))
        const { id, role } = user
        const about = { subject: `users/${id}`, details: { role }, now: draft.now }
        await audit(tx, request?.visitor ?? SERVER_ORIGIN, 'user.created', about)
        return user
      })
    },
  }
}
