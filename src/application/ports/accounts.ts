import type { MailToken, MailTokenPurpose } from '../../domain/mail-token.ts'
import type { Page, PageRequest } from '../../domain/page.ts'
import type { NewSession, Principal, Session } from '../../domain/session.ts'
import type { Instant, NewUser, Role, User } from '../../domain/user.ts'

export type UserSortField = 'created_at' | 'updated_at' | 'email' | 'name'

export interface UserQuery extends PageRequest<UserSortField> {
  /** Matches addresses and names that contain it, ignoring case. */
  readonly contains: string | null
}

export interface UserReader {
  findById(id: number): Promise<User | null>
  /** `email` in its normalized spelling. */
  findByEmail(email: string): Promise<User | null>
  list(query: UserQuery): Promise<Page<User>>
  countActiveAdmins(): Promise<number>
}

export interface UserRepository extends UserReader {
  /** Rejects with `email_taken` when another user has the address. */
  insert(user: NewUser): Promise<User>
  /** Stores every field of `user`. Rejects with `email_taken`. The row must exist. */
  update(user: User): Promise<void>
  /** False if there was no such user. Sessions and mailed tokens are removed too; a job removes their other data. */
  delete(id: number): Promise<boolean>
}

export interface SessionQuery extends PageRequest<'created_at'> {
  readonly userId: number
  /** Excludes sessions that end before it. */
  readonly aliveAt: Instant
}

/** The user and rights of a session. */
export interface SessionAccount {
  readonly userId: number
  readonly role: Role
  readonly isActive: boolean
  /** Of the session. */
  readonly createdAt: Instant
  /** Of the session. */
  readonly expiresAt: Instant
}

export interface SessionReader {
  findById(id: number): Promise<Session | null>
  /** Also if the session has ended or the account is deactivated. */
  findAccount(id: number): Promise<SessionAccount | null>
  /** The principals of those sessions that have not ended by `now` and whose account is active, in no order. */
  findActivePrincipals(ids: readonly number[], now: Instant): Promise<readonly Principal[]>
  list(query: SessionQuery): Promise<Page<Session>>
}

export interface SessionRepository extends SessionReader {
  insert(session: NewSession): Promise<Session>
  /** Records that it was used at `lastUsedAt` from `address`, and extends it to `expiresAt`. */
  touch(session: Pick<Session, 'id' | 'lastUsedAt' | 'expiresAt' | 'address'>): Promise<void>
  /** False if there was no such session. Removes its refresh tokens too. */
  delete(id: number): Promise<boolean>
  /** Ends every session of the user except the given one, if any. */
  deleteAll(userId: number, exceptId: number | null): Promise<void>
  /** Removes up to `limit` and returns how many. */
  deleteExpired(now: Instant, limit: number): Promise<number>
}

/** A stored refresh token: never the token itself, only its SHA-256. */
export interface RefreshToken {
  readonly hash: Uint8Array
  readonly sessionId: number
  readonly createdAt: Instant
  /** When it was exchanged; used tokens are kept to detect reuse. */
  readonly spentAt: Instant | null
}

export interface RefreshTokenRepository {
  find(hash: Uint8Array): Promise<RefreshToken | null>
  insert(token: Omit<RefreshToken, 'spentAt'>): Promise<void>
  spend(hash: Uint8Array, now: Instant): Promise<void>
  /** Removes those of a session, used or not. */
  deleteAll(sessionId: number): Promise<void>
  /** Removes up to `limit` tokens used before `instant` and returns how many. */
  deleteSpent(instant: Instant, limit: number): Promise<number>
}

/** A network, as `client` of {@link networksOf}, from which a user has signed in. */
export interface SignInSource {
  readonly userId: number
  readonly source: string
  readonly usedAt: Instant
}

export interface SignInSourceReader {
  has(userId: number, source: string): Promise<boolean>
}

export interface SignInSourceRepository extends SignInSourceReader {
  /** Stores it as the user's latest; beyond {@link MAX_SIGN_IN_SOURCES_COUNT} the least recently used one is removed. */
  put(source: SignInSource): Promise<void>
  /** Removes up to `limit` used before `instant` and returns how many. */
  deleteBefore(instant: Instant, limit: number): Promise<number>
}

export interface MailTokenReader {
  findByHash(hash: Uint8Array): Promise<MailToken | null>
  findByUser(userId: number, purpose: MailTokenPurpose): Promise<MailToken | null>
}

export interface MailTokenRepository extends MailTokenReader {
  /** Replaces the user's older one for the same purpose. */
  put(token: MailToken): Promise<void>
  /** Sets when it expires. False if it was used or replaced. */
  extend(nonce: string, expiresAt: Instant): Promise<boolean>
  /** Invalidates the user's token for one purpose, or for all. */
  delete(userId: number, purpose?: MailTokenPurpose): Promise<void>
  /** Removes up to `limit` and returns how many. */
  deleteExpired(now: Instant, limit: number): Promise<number>
}

/** When mails of one kind were sent, or will be sent, to one recipient. */
export interface MailLimitRepository {
  /** Oldest first. Locks the kind and recipient until the end of the transaction. */
  find(recipient: string, kind: string): Promise<readonly Instant[]>
  /** Replaces the stored times; must not be empty. */
  put(recipient: string, kind: string, times: readonly Instant[]): Promise<void>
  /** Removes up to `limit` whose newest mail was sent before `instant` and returns how many. */
  deleteOld(instant: Instant, limit: number): Promise<number>
}
