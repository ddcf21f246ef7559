import type { Page, PageRequest } from '../../domain/page.ts'
import type { NewSession, Session } from '../../domain/session.ts'
import type { Instant, NewUser, User } from '../../domain/user.ts'

export type UserSortField = 'created_at' | 'updated_at' | 'email' | 'name'

export interface UserQuery extends PageRequest<UserSortField> {
  /** Matches addresses and names that contain it, without regard to case. */
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
  /** Rejects with `email_taken` when another user holds the address. */
  insert(user: NewUser): Promise<User>
  /** Stores every field of `user`. Rejects with `email_taken`. The row must exist. */
  update(user: User): Promise<void>
  /** False when there was no such user. Sessions and everything the user owns go too. */
  delete(id: number): Promise<boolean>
}

export interface SessionReader {
  findById(id: number): Promise<Session | null>
}

export interface SessionRepository extends SessionReader {
  insert(session: NewSession): Promise<Session>
  /** Ends every session of the user but the one named. */
  deleteOthers(userId: number, exceptId: number): Promise<void>
}

/** A refresh token at rest: never the token, only its SHA-256. */
export interface RefreshToken {
  readonly hash: Uint8Array
  readonly sessionId: number
  readonly createdAt: Instant
  readonly spentAt: Instant | null
}

export interface RefreshTokenRepository {
  insert(token: Omit<RefreshToken, 'spentAt'>): Promise<void>
}

/** What a transaction may read and write. */
export interface Tx {
  readonly users: UserRepository
  readonly sessions: SessionRepository
  readonly refreshTokens: RefreshTokenRepository
}

/** What a read may see: committed rows only. */
export interface ReadTx {
  readonly users: UserReader
  readonly sessions: SessionReader
}

export interface UnitOfWork {
  /**
   * Runs `work` in one transaction: durable when the promise resolves, rolled back when it rejects.
   * `work` may run twice, and may await nothing but `tx`; a `write` inside `work` rejects at once.
   * Rejects with `unavailable` while the database is locked or unreachable, `storage_full` when it cannot grow.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Runs `work` on committed data. Each statement sees the latest commit. */
  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T>
}
