import type { Backup, NewBackup } from '../../domain/backup.ts'
import type { Epoch } from '../../domain/epoch.ts'
import type { FileLink, NewFile, NewFileLink, StoredFile } from '../../domain/file.ts'
import type { IdempotencyRecord } from '../../domain/idempotency.ts'
import type { Job, JobRequest, JobState } from '../../domain/job.ts'
import type { Page, PageRequest } from '../../domain/page.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { Instant } from '../../domain/user.ts'
import type { Awaitable } from '../awaitable.ts'
import type {
  MailLimitRepository,
  MailTokenReader,
  MailTokenRepository,
  RefreshTokenRepository,
  SessionReader,
  SessionRepository,
  SignInSourceReader,
  SignInSourceRepository,
  UserReader,
  UserRepository,
} from './accounts.ts'
import type { AuditReader, AuditRepository } from './audit.ts'
import type { CollectionReader, CollectionRepository, RecordStorage } from './collections.ts'
import type { DeletionReader, DeletionRepository } from './deletions.ts'
import type { EventReader, EventRepository } from './events.ts'
import type { RecordReader, RecordRepository } from './records.ts'

export type NewJob = JobRequest & {
  readonly now: Instant
  /** Earliest start; at once if absent. */
  readonly runAt?: Instant
  /** While a job with this key is queued or running, no other one is enqueued. */
  readonly key?: string
}

export interface JobQuery extends PageRequest<'created_at'> {
  readonly state: JobState | null
}

export interface JobReader {
  findById(id: number): Promise<Job | null>
  list(query: JobQuery): Promise<Page<Job>>
  /** Whether a queued job may run now, or a job's lease has expired. */
  hasDue(now: Instant): Promise<boolean>
  /** How many jobs are in each state. Counts stop at `most`, to bound their cost. */
  countByState(most: number): Promise<Readonly<Record<JobState, number>>>
}

/** A job claimed by one worker, which alone has this attempt. */
export interface JobAttempt {
  readonly id: number
  readonly attempts: number
}

export interface JobRepository extends JobReader {
  enqueue(job: NewJob): Promise<void>
  /** Claims up to `limit` due jobs until `leaseUntil`, oldest first. Nobody else gets the same attempt. */
  claim(claim: { readonly now: Instant; readonly leaseUntil: Instant; readonly limit: number }): Promise<readonly Job[]>
  /** Extends the lease to `leaseUntil`. False if it had expired and another worker may have the job. */
  renew(attempt: JobAttempt, leaseUntil: Instant): Promise<boolean>
  /** False as for `renew`. */
  complete(attempt: JobAttempt, now: Instant): Promise<boolean>
  /** Returns the job to the queue until `runAt`, or marks it dead if that is null. False as for `renew`. */
  fail(attempt: JobAttempt, failure: { now: Instant; error: string; runAt: Instant | null }): Promise<boolean>
  /** Returns the job to the queue as if it had not been started. */
  release(attempt: JobAttempt, now: Instant): Promise<void>
  /** Queues a waiting or dead job again and resets its attempts. False for any other. */
  retry(id: number, now: Instant): Promise<boolean>
  /** False if it is running or does not exist. */
  delete(id: number): Promise<boolean>
  /** Removes up to `limit` jobs that ended in this state before `instant` and returns how many. */
  deleteEnded(state: 'done' | 'dead', before: Instant, limit: number): Promise<number>
}

export interface FileQuery extends PageRequest<'created_at'> {
  /** Null for all owners. */
  readonly ownerId: number | null
}

export interface FileReader {
  findById(id: number): Promise<StoredFile | null>
  list(query: FileQuery): Promise<Page<StoredFile>>
  /** Whether a file refers to this key. */
  refersTo(blobKey: string): Promise<boolean>
}

export interface FileRepository extends FileReader {
  insert(file: NewFile): Promise<StoredFile>
  /** Removes its links too. */
  delete(id: number): Promise<void>
  /** Removes up to `limit` files of an owner, with their links, and returns them. */
  deleteOwned(ownerId: number, limit: number): Promise<readonly StoredFile[]>
}

export interface FileLinkQuery extends PageRequest<'created_at'> {
  readonly fileId: number
  /** Excludes links that expire before it. */
  readonly aliveAt: Instant
}

export interface FileLinkReader {
  find(fileId: number, id: number): Promise<FileLink | null>
  list(query: FileLinkQuery): Promise<Page<FileLink>>
}

/** Links by creator or by owner of the file; `foreign` are those to other users' files. */
export type FileLinkScope = { readonly creatorId: number; readonly foreign?: true } | { readonly ownerId: number }

export interface FileLinkRepository extends FileLinkReader {
  /** How many a user has created, including expired ones; counting stops at `most`. */
  countCreatedBy(creatorId: number, most: number): Promise<number>
  insert(link: NewFileLink): Promise<FileLink>
  delete(id: number): Promise<void>
  deleteAll(scope: FileLinkScope): Promise<void>
  /** Removes up to `limit` that a user has created and returns how many. */
  deleteExpiredOf(creatorId: number, now: Instant, limit: number): Promise<number>
  /** Removes up to `limit` and returns how many. */
  deleteExpired(now: Instant, limit: number): Promise<number>
}

export interface EpochReader {
  /** The id of the current epoch, to which new changes belong. */
  readonly current: string
  /** Null for an unknown epoch. */
  find(id: string): Promise<Epoch | null>
}

export interface IdempotencyRepository {
  find(userId: number, route: string, key: string): Promise<IdempotencyRecord | null>
  /** Replaces an older one. */
  put(record: IdempotencyRecord): Promise<void>
  /** Removes up to `limit` older ones and returns how many. */
  deleteOld(before: Instant, limit: number): Promise<number>
  /** Removes up to `limit` of a user and returns how many. */
  deleteOwned(userId: number, limit: number): Promise<number>
}

/** The storage used by each user: records, their events in the log, idempotency records and files. */
export interface UsageReader {
  /** Bytes that count towards the user's quota. */
  bytesOf(userId: number): Promise<number>
}

export interface UsageRepository extends UsageReader {
  /** Removes the count of a user. Call it when none of their data is left. */
  delete(userId: number): Promise<void>
}

export interface BackupReader {
  findById(id: number): Promise<Backup | null>
  list(query: PageRequest<'created_at'>): Promise<Page<Backup>>
  /** Whether a backup is running, so that no bytes of files may be removed. */
  isRunning(now: Instant): Promise<boolean>
}

export interface BackupRepository extends BackupReader {
  insert(backup: NewBackup): Promise<Backup>
  update(backup: Backup): Promise<void>
  delete(id: number): Promise<void>
  /**
   * Extends the lease of a running backup to `leaseUntil`, unless it ends later already. False if it has expired, if the
   * backup has another `name`, so that the lease is another process's, or if the backup has ended.
   */
  renew(id: number, lease: Pick<Backup, 'name' | 'leaseUntil'> & { readonly now: Instant }): Promise<boolean>
  /** Those with an archive, oldest first, without the newest `count`; at most `limit` of them. */
  beyondNewest(count: number, limit: number): Promise<readonly Backup[]>
  /** Up to `limit` running backups whose lease expired by `instant`. */
  expired(instant: Instant, limit: number): Promise<readonly Backup[]>
}

/** The repositories that a transaction may read and write. */
export interface Tx {
  readonly users: UserRepository
  readonly sessions: SessionRepository
  readonly refreshTokens: RefreshTokenRepository
  readonly signInSources: SignInSourceRepository
  readonly mailTokens: MailTokenRepository
  readonly mailLimits: MailLimitRepository
  readonly jobs: JobRepository
  readonly collections: CollectionRepository
  records(storage: RecordStorage): RecordRepository
  readonly deletions: DeletionRepository
  readonly events: EventRepository
  readonly audit: AuditRepository
  readonly epochs: EpochReader
  readonly files: FileRepository
  readonly fileLinks: FileLinkRepository
  readonly idempotency: IdempotencyRepository
  readonly usage: UsageRepository
  readonly backups: BackupRepository
}

/** The repositories of a read, which sees only committed rows. */
export interface ReadTx {
  readonly users: UserReader
  readonly sessions: SessionReader
  readonly signInSources: SignInSourceReader
  readonly mailTokens: MailTokenReader
  readonly jobs: JobReader
  readonly collections: CollectionReader
  records(storage: RecordStorage): RecordReader
  /**
   * A record of a collection defined at run time, from a database that looks it up at once: null if there is none,
   * undefined if there is no such collection. Other databases do not have this.
   */
  findNow?(collection: string, id: number): StoredRecord | null | undefined
  readonly deletions: DeletionReader
  readonly events: EventReader
  readonly audit: AuditReader
  readonly epochs: EpochReader
  readonly files: FileReader
  readonly fileLinks: FileLinkReader
  readonly usage: UsageReader
  readonly backups: BackupReader
}

export interface UnitOfWork {
  /**
   * Runs `work` in one transaction: durable when the promise resolves, rolled back when it rejects. A user, session,
   * token, record or file that it looks up by id or hash is locked until the end, and so is an idempotency key that it
   * found unused: a transaction that looks up the same one waits, and then sees the result. The user of a session
   * cannot be removed, but may change. Other data that it reads may become outdated before the commit. `work` may run
   * twice, and may await nothing but `tx`; a `write` inside `work` rejects at once. Rejects with `quota_exceeded` if a
   * user to whose storage it adds would exceed their quota; freeing bytes is never refused for that. Rejects with
   * `unavailable` while the database is locked or unreachable, `storage_full` when it cannot grow.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Runs `work` on committed data. Each statement sees the latest commit. */
  read<T>(work: (tx: ReadTx) => Awaitable<T>): Promise<T>
}

/** Bytes. */
export interface StoredSize {
  /** The size of the database, with its indexes and its log. */
  readonly database: number
  /** The bytes that count towards the quotas of users: their records, history and files. At most {@link MAX_MEASURED_USERS_COUNT} users are counted. */
  readonly users: number
}

export const MAX_MEASURED_USERS_COUNT = 100_000

/** A database that is open. */
export interface Store extends UnitOfWork {
  /**
   * Call it before this process works on jobs. If no other process can be working on this database, returns the jobs of
   * a crashed process to the queue; otherwise their leases must expire.
   */
  requeueAbandonedJobs(now: Instant): Promise<void>
  /**
   * Call it before this process serves. Begins an epoch unless it is certain that the data is what the last server
   * left, and not a restored copy.
   */
  beginEpoch(): Promise<void>
  /** Until this is called, commits may block the thread, because nobody else waits for it. */
  beginServing(): void
  /** Rejects with `unavailable` if the database does not respond, `storage_full` if its disk is almost full. */
  ping(): Promise<void>
  /** Measures what is stored, at a bounded cost. */
  measure(): Promise<StoredSize>
  /** Finishes running and queued work within `timeoutMs`, and closes. */
  close(timeoutMs?: number): Promise<void>
}
