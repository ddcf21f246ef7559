import type { Epoch } from '../../domain/epoch.ts'
import type { LoggedEvent, NewEvent } from '../../domain/event.ts'
import type { FileLink, NewFile, NewFileLink, StoredFile } from '../../domain/file.ts'
import type { IdempotencyRecord } from '../../domain/idempotency.ts'
import type { Job, JobRequest, JobState } from '../../domain/job.ts'
import type { MailToken, MailTokenPurpose } from '../../domain/mail-token.ts'
import type { Page, PageRequest } from '../../domain/page.ts'
import type { NewRecord, StoredRecord } from '../../domain/record.ts'
import type { NewSession, Principal, Session } from '../../domain/session.ts'
import type { Instant, NewUser, Role, User } from '../../domain/user.ts'

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
  /** Rejects with `email_taken` when another user has the address. */
  insert(user: NewUser): Promise<User>
  /** Stores every field of `user`. Rejects with `email_taken`. The row must exist. */
  update(user: User): Promise<void>
  /** False when there was no such user. Sessions and mailed tokens go too; what else was theirs is left to a job. */
  delete(id: number): Promise<boolean>
}

export interface SessionQuery extends PageRequest<'created_at'> {
  readonly userId: number
  /** Sessions that end before are left out. */
  readonly aliveAt: Instant
}

/** The account of a session. */
export interface SessionAccount {
  readonly userId: number
  readonly role: Role
  readonly isActive: boolean
  /** Of the session. */
  readonly expiresAt: Instant
}

export interface SessionReader {
  findById(id: number): Promise<Session | null>
  /** Also when the session has ended or the account is switched off. */
  findAccount(id: number): Promise<SessionAccount | null>
  /** The principals of those sessions that have not ended by `now` and whose account is active, in no order. */
  findActivePrincipals(ids: readonly number[], now: Instant): Promise<readonly Principal[]>
  list(query: SessionQuery): Promise<Page<Session>>
}

export interface SessionRepository extends SessionReader {
  insert(session: NewSession): Promise<Session>
  /** Notes that it was used at `lastUsedAt` from `address`, and lives until `expiresAt`. */
  touch(session: Pick<Session, 'id' | 'lastUsedAt' | 'expiresAt' | 'address'>): Promise<void>
  /** False when there was no such session. Its refresh tokens go too. */
  delete(id: number): Promise<boolean>
  /** Ends every session of the user but the one named, if one is. */
  deleteAll(userId: number, exceptId: number | null): Promise<void>
  /** Removes up to `limit` and answers how many. */
  deleteExpired(now: Instant, limit: number): Promise<number>
}

/** A refresh token at rest: never the token, only its SHA-256. */
export interface RefreshToken {
  readonly hash: Uint8Array
  readonly sessionId: number
  readonly createdAt: Instant
  /** When it was exchanged; a spent one is kept to recognise its reuse. */
  readonly spentAt: Instant | null
}

export interface RefreshTokenRepository {
  find(hash: Uint8Array): Promise<RefreshToken | null>
  insert(token: Omit<RefreshToken, 'spentAt'>): Promise<void>
  spend(hash: Uint8Array, now: Instant): Promise<void>
  /** Removes those of a session, spent or not. */
  deleteAll(sessionId: number): Promise<void>
  /** Removes up to `limit` tokens spent before `instant` and answers how many. */
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
  /** Notes it as the user's latest; beyond {@link MAX_SIGN_IN_SOURCES} the one used longest ago goes. */
  put(source: SignInSource): Promise<void>
  /** Removes up to `limit` used before `instant` and answers how many. */
  deleteBefore(instant: Instant, limit: number): Promise<number>
}

export interface MailTokenReader {
  findByHash(hash: Uint8Array): Promise<MailToken | null>
  findByUser(userId: number, purpose: MailTokenPurpose): Promise<MailToken | null>
}

export interface MailTokenRepository extends MailTokenReader {
  /** Takes the place of the user's older one for the same purpose. */
  put(token: MailToken): Promise<void>
  /** Sets when it expires. False when it was used or voided. */
  extend(nonce: string, expiresAt: Instant): Promise<boolean>
  /** Voids the user's token for one purpose, or for all. */
  delete(userId: number, purpose?: MailTokenPurpose): Promise<void>
  /** Removes up to `limit` and answers how many. */
  deleteExpired(now: Instant, limit: number): Promise<number>
}

/** When mails of one kind went to one recipient, or are to go. */
export interface MailLimitRepository {
  /** Oldest first. Nobody else finds or puts those of the same kind and recipient before the end of the transaction. */
  find(recipient: string, kind: string): Promise<readonly Instant[]>
  /** Takes the place of what was there; not empty. */
  put(recipient: string, kind: string, times: readonly Instant[]): Promise<void>
  /** Removes up to `limit` whose newest mail went before `instant` and answers how many. */
  deleteOld(instant: Instant, limit: number): Promise<number>
}

export type NewJob = JobRequest & {
  readonly now: Instant
  /** Not before; at once when absent. */
  readonly runAt?: Instant
  /** While a job with this key waits or runs, another is not enqueued. */
  readonly key?: string
}

export interface JobQuery extends PageRequest<'created_at'> {
  readonly state: JobState | null
}

export interface JobReader {
  findById(id: number): Promise<Job | null>
  list(query: JobQuery): Promise<Page<Job>>
  /** Whether a job waits that may run now, or one's lease has run out. */
  hasDue(now: Instant): Promise<boolean>
  /** How many jobs are in each state. No count goes beyond `most`, so that it costs little whatever there is. */
  countByState(most: number): Promise<Readonly<Record<JobState, number>>>
}

/** One worker's exclusive attempt at a job, under a lease. */
export interface Attempt {
  readonly id: number
  readonly attempts: number
}

export interface JobRepository extends JobReader {
  enqueue(job: NewJob): Promise<void>
  /** Leases up to `limit` due jobs until `leaseUntil`, oldest first. No other worker gets the same attempt. */
  claim(claim: { readonly now: Instant; readonly leaseUntil: Instant; readonly limit: number }): Promise<readonly Job[]>
  /**
   * Renews the lease of the attempt until `leaseUntil`. False when the lease had run out and someone else may have it.
   */
  renew(attempt: Attempt, leaseUntil: Instant): Promise<boolean>
  /** False as for `renew`. */
  complete(attempt: Attempt, now: Instant): Promise<boolean>
  /** Back to the queue until `runAt`, or dead when that is null. False as for `renew`. */
  fail(attempt: Attempt, failure: { now: Instant; error: string; runAt: Instant | null }): Promise<boolean>
  /** Back to the queue as if it had not been started. */
  release(attempt: Attempt, now: Instant): Promise<void>
  /** Queues a waiting or dead job anew with no attempts counted. False for any other. */
  retry(id: number, now: Instant): Promise<boolean>
  /** False when it is running or there is none. */
  delete(id: number): Promise<boolean>
  /** Removes up to `limit` jobs that ended in this state before `instant` and answers how many. */
  deleteEnded(state: 'done' | 'dead', before: Instant, limit: number): Promise<number>
}

/** A list of the records of a collection, sorted by one of {@link sortsOf}. */
export interface RecordQuery extends PageRequest<string> {
  /** Null for everyone's. */
  readonly ownerId: number | null
  /** Words that the searched fields together must contain, each at least as a prefix. */
  readonly text: string | null
  readonly createdAfter: Instant | null
  readonly createdBefore: Instant | null
}

export interface RecordReader {
  findById(id: number): Promise<StoredRecord | null>
  list(query: RecordQuery): Promise<Page<StoredRecord>>
}

export interface RecordRepository extends RecordReader {
  insert(record: NewRecord): Promise<StoredRecord>
  /** Stores fields, version and time of the change, in the present epoch. The row must exist. */
  update(record: StoredRecord): Promise<StoredRecord>
  delete(id: number): Promise<void>
  /** Removes up to `limit` records of an owner and answers what they were. */
  deleteOwned(ownerId: number, limit: number): Promise<readonly StoredRecord[]>
}

export interface FileQuery extends PageRequest<'created_at'> {
  /** Null for everyone's. */
  readonly ownerId: number | null
}

export interface FileReader {
  findById(id: number): Promise<StoredFile | null>
  list(query: FileQuery): Promise<Page<StoredFile>>
  /** Whether a file has its bytes under this key. */
  names(blobKey: string): Promise<boolean>
}

export interface FileRepository extends FileReader {
  insert(file: NewFile): Promise<StoredFile>
  /** Its links go too. */
  delete(id: number): Promise<void>
  /** Removes up to `limit` files of an owner, with their links, and answers which. */
  deleteOwned(ownerId: number, limit: number): Promise<readonly StoredFile[]>
}

export interface FileLinkQuery extends PageRequest<'created_at'> {
  readonly fileId: number
  /** Links that end before are left out. */
  readonly aliveAt: Instant
}

export interface FileLinkReader {
  find(fileId: number, id: number): Promise<FileLink | null>
  list(query: FileLinkQuery): Promise<Page<FileLink>>
}

/** Links by who made them or whose files they open; `foreign` are those to files of others. */
export type FileLinkScope = { readonly makerId: number; readonly foreign?: true } | { readonly ownerId: number }

export interface FileLinkRepository extends FileLinkReader {
  /** How many someone made, expired ones included; no count goes beyond `most`. */
  countMadeBy(makerId: number, most: number): Promise<number>
  insert(link: NewFileLink): Promise<FileLink>
  delete(id: number): Promise<void>
  deleteAll(scope: FileLinkScope): Promise<void>
  /** Removes up to `limit` that someone made and answers how many. */
  deleteExpiredOf(makerId: number, now: Instant, limit: number): Promise<number>
  /** Removes up to `limit` and answers how many. */
  deleteExpired(now: Instant, limit: number): Promise<number>
}

/** The whole log, or the events of one kind: all of them, those of what someone owns, or those of one subject. */
export type EventScope =
  | 'all'
  | { readonly kind: string; readonly ownerId?: number }
  | { readonly kind: string; readonly subjectId: number }

export interface EventChunk {
  /** In the order of their commits. */
  readonly events: readonly LoggedEvent[]
  /** Every event of the scope up to this cursor was among these, or before. */
  readonly reached: number
  /** Whether nothing follows yet. */
  readonly complete: boolean
}

export interface EventReader {
  /**
   * The events of a scope after a cursor: up to `maxCount`, or to the one with which `maxBytes` of what they hold are
   * reached. May be cut short, even before the first one, where finding more would take long.
   */
  chunk(query: {
    readonly scope: EventScope
    readonly after: number
    readonly maxCount: number
    readonly maxBytes: number
  }): Promise<EventChunk>
  /** `last`: the newest cursor there ever was. `removed`: the newest one that retention has taken away. */
  bounds(): Promise<{ readonly last: number; readonly removed: number }>
}

/** How far {@link EventRepository.eraseOwned} has come. */
export interface EraseProgress {
  readonly kind: string
  readonly cursor: number
}

export interface EventRepository extends EventReader {
  append(event: NewEvent): Promise<void>
  /**
   * Removes up to `limit` events older than `instant` from the beginning of the log, none beyond one that is not, and
   * answers how many.
   */
  deleteBefore(instant: Instant, limit: number): Promise<number>
  /**
   * Takes what a removed user wrote out of the log: the next `limit` events of what they owned, of every kind. Of each
   * record only its deletion stays, for those who have to learn of it, with empty fields. Answers how far it came; null
   * when there was nothing more.
   */
  eraseOwned(ownerId: number, after: EraseProgress | null, limit: number): Promise<EraseProgress | null>
}

export interface EpochReader {
  /** The id of the epoch to which belongs what is written now. */
  readonly current: string
  /** Null for one that this data has not lived through. */
  find(id: string): Promise<Epoch | null>
}

export interface IdempotencyRepository {
  find(userId: number, route: string, key: string): Promise<IdempotencyRecord | null>
  /** Takes the place of an older one. */
  put(record: IdempotencyRecord): Promise<void>
  /** Removes up to `limit` from before and answers how many. */
  deleteOld(before: Instant, limit: number): Promise<number>
  /** Removes up to `limit` of a user and answers how many. */
  deleteOwned(userId: number, limit: number): Promise<number>
}

/** What users have stored: their records, the log's events of these, idempotency records and files. */
export interface UsageReader {
  /** Bytes that count towards the user's quota. */
  bytesOf(userId: number): Promise<number>
}

export interface UsageRepository extends UsageReader {
  /** Counts nothing of this user any more. To be called when nothing of theirs is left. */
  forget(userId: number): Promise<void>
}

/** What a transaction may read and write. */
export interface Tx {
  readonly users: UserRepository
  readonly sessions: SessionRepository
  readonly refreshTokens: RefreshTokenRepository
  readonly signInSources: SignInSourceRepository
  readonly mailTokens: MailTokenRepository
  readonly mailLimits: MailLimitRepository
  readonly jobs: JobRepository
  /** Of a registered collection. */
  records(collection: string): RecordRepository
  readonly events: EventRepository
  readonly epochs: EpochReader
  readonly files: FileRepository
  readonly fileLinks: FileLinkRepository
  readonly idempotency: IdempotencyRepository
  readonly usage: UsageRepository
}

/** What a read may see: committed rows only. */
export interface ReadTx {
  readonly users: UserReader
  readonly sessions: SessionReader
  readonly signInSources: SignInSourceReader
  readonly mailTokens: MailTokenReader
  readonly jobs: JobReader
  /** Of a registered collection. */
  records(collection: string): RecordReader
  readonly events: EventReader
  readonly epochs: EpochReader
  readonly files: FileReader
  readonly fileLinks: FileLinkReader
  readonly usage: UsageReader
}

export interface UnitOfWork {
  /**
   * Runs `work` in one transaction: durable when the promise resolves, rolled back when it rejects. A user, session,
   * token, item or file that it looks up by its id or hash nobody else changes or removes before the end, and nothing
   * comes to be under an idempotency key that it found free; who looks up the same waits, and sees what became of it.
   * The account of a session is not removed, but may change. All else may be older than what comes after it. `work` may
   * run twice, and may await nothing but `tx`; a `write` inside `work` rejects at once. Rejects with `quota_exceeded`
   * when a user whose storage it adds to would have more than their quota; what takes bytes away is never refused for
   * that. Rejects with `unavailable` while the database is locked or unreachable, `storage_full` when it cannot grow.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Runs `work` on committed data. Each statement sees the latest commit. */
  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T>
}

/** A database that is open. */
export interface Store extends UnitOfWork {
  /**
   * To be called before this process works on jobs. Puts back into the queue what a process that is gone had in hand,
   * if none but this one can be at work here; else its leases have to run out.
   */
  requeueAbandonedJobs(now: Instant): Promise<void>
  /**
   * To be called before this process serves. Begins an epoch unless it is certain that the data is what the last server
   * left, and no copy of it that was put back.
   */
  beginEpoch(): Promise<void>
  /** Rejects with `unavailable` when the database does not answer, `storage_full` when its disk is about to be. */
  ping(): Promise<void>
  /** Finishes what is under way or queued, within `timeout` milliseconds, and closes. */
  close(timeout?: number): Promise<void>
}
