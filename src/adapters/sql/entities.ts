import type { RefreshToken, SignInSource } from '../../application/ports/accounts.ts'
import type { StoredCollection } from '../../application/ports/collections.ts'
import type { Deletion, NewDeletion } from '../../application/ports/deletions.ts'
import type { AuditEntry } from '../../domain/audit.ts'
import type { Backup, NewBackup } from '../../domain/backup.ts'
import type { LoggedEvent } from '../../domain/event.ts'
import type { FileLink, NewFile, NewFileLink, StoredFile } from '../../domain/file.ts'
import type { IdempotencyRecord } from '../../domain/idempotency.ts'
import type { Job } from '../../domain/job.ts'
import type { MailToken } from '../../domain/mail-token.ts'
import type { NewSession, Session } from '../../domain/session.ts'
import type { Instant, NewUser, User } from '../../domain/user.ts'
import { entity } from './entity.ts'

/** `T` with a property as the text that is stored, whose length counts towards a quota. */
type Encoded<T, Property extends keyof T> = Omit<T, Property> & Readonly<Record<Property, string>>

export const users = entity<User, NewUser>('users', {
  id: 'assigned',
  email: 'text',
  name: 'text',
  role: 'text',
  isActive: 'boolean',
  emailVerified: 'boolean',
  passwordHash: 'text',
  createdAt: 'integer',
  updatedAt: 'integer',
})

export const sessions = entity<Session, NewSession>('sessions', {
  id: 'assigned',
  userId: 'integer',
  device: 'text',
  address: 'text',
  createdAt: 'integer',
  lastUsedAt: 'integer',
  expiresAt: 'integer',
})

export const refreshTokens = entity<RefreshToken>(
  'refresh_tokens',
  { hash: 'bytes', sessionId: 'integer', createdAt: 'integer', spentAt: 'integer' },
  { key: ['hash'] },
)

export const signInSources = entity<SignInSource>(
  'sign_in_sources',
  { userId: 'integer', source: 'text', usedAt: 'integer' },
  { key: ['user_id', 'source'] },
)

export const mailTokens = entity<MailToken>(
  'mail_tokens',
  { userId: 'integer', purpose: 'text', email: 'text', nonce: 'text', hash: 'bytes', expiresAt: 'integer' },
  { key: ['user_id', 'purpose'] },
)

interface MailLimit {
  readonly recipient: string
  readonly kind: string
  readonly times: readonly Instant[]
  readonly newestAt: Instant
}

export const mailLimits = entity<MailLimit>(
  'mail_limits',
  { recipient: 'text', kind: 'text', times: 'json', newestAt: 'integer' },
  { key: ['recipient', 'kind'] },
)

export const jobs = entity<Job>(
  'jobs',
  {
    id: 'integer',
    kind: 'text',
    payload: 'json',
    state: 'text',
    attempts: 'integer',
    runAt: 'integer',
    lastError: 'text',
    createdAt: 'integer',
    updatedAt: 'integer',
  },
  { otherColumns: { lease_until: 'integer', unique_key: 'text' } },
)

export const idempotency = entity<Encoded<IdempotencyRecord, 'response'>>(
  'idempotency',
  {
    userId: 'integer',
    route: 'text',
    key: 'text',
    fingerprint: 'bytes',
    response: 'text',
    createdAt: 'integer',
    role: 'text',
  },
  { key: ['user_id', 'route', 'key'], columnNames: { response: 'answer' } },
)

export const files = entity<StoredFile, NewFile>('files', {
  id: 'assigned',
  ownerId: 'integer',
  filename: 'text',
  contentType: 'text',
  size: 'integer',
  sha256: 'text',
  blobKey: 'text',
  createdAt: 'integer',
})

export const fileLinks = entity<FileLink, NewFileLink>(
  'file_links',
  {
    id: 'assigned',
    fileId: 'integer',
    expiresAt: 'integer',
    createdAt: 'integer',
    creatorId: 'integer',
    ownerId: 'integer',
  },
  { columnNames: { creatorId: 'maker_id' } },
)

type StoredEvent = Omit<LoggedEvent, 'data' | 'previous'> & {
  readonly data: string
  readonly previous: string | null
}

export const events = entity<StoredEvent, Omit<StoredEvent, 'position'>>(
  'events',
  {
    position: 'assigned',
    event: 'text',
    kind: 'text',
    subjectId: 'integer',
    ownerId: 'integer',
    data: 'text',
    actorId: 'integer',
    requestId: 'text',
    sessionId: 'integer',
    createdAt: 'integer',
    previous: 'text',
  },
  { key: ['cursor'], columnNames: { position: 'cursor' } },
)

/** An entry of the audit log. `repeatKey` identifies one that counts. */
type StoredAuditEntry = AuditEntry & { readonly repeatKey: string | null }

export const audit = entity<StoredAuditEntry, Omit<StoredAuditEntry, 'id'>>('audit', {
  id: 'assigned',
  createdAt: 'integer',
  actorId: 'integer',
  action: 'text',
  subject: 'text',
  address: 'text',
  sessionId: 'integer',
  requestId: 'text',
  details: 'json',
  repeatKey: 'text',
  count: 'integer',
  lastAt: 'integer',
})

/** A deleted collection has no name until its records are removed. */
export const collections = entity<StoredCollection, Omit<StoredCollection, 'id'>>(
  'collections',
  {
    id: 'assigned',
    collection: 'json',
    version: 'integer',
    epoch: 'text',
    shape: 'integer',
    indexes: 'json',
    pending: 'json',
    deletions: 'json',
    createdAt: 'integer',
    updatedAt: 'integer',
  },
  {
    columnNames: { collection: 'definition' },
    // The last shape ever given, because records may still have the form of an abandoned definition.
    otherColumns: { name: 'text', last_shape: 'integer' },
  },
)

/** Gives indexes their ids. One without a collection is no longer used, and its entries are to be removed. */
export interface IndexRow {
  readonly id: number
  readonly collectionId: number | null
}

export const recordIndexes = entity<IndexRow, Omit<IndexRow, 'id'>>('record_indexes', {
  id: 'assigned',
  collectionId: 'integer',
})

/** A record of a collection defined at run time. */
export interface RecordRow {
  readonly id: number
  readonly collectionId: number
  readonly ownerId: number | null
  readonly version: number
  readonly epoch: string
  readonly createdAt: Instant
  readonly updatedAt: Instant
  /** Its fields, as JSON. */
  readonly data: string
  readonly shape: number
  /** Its fields in the form that another shape gives them; shown instead once that is the collection's. */
  readonly next: string | null
  readonly nextShape: number | null
  /** What it counts towards the quota of its owner. */
  readonly bytes: number
  /** The large deletion that has marked it. */
  readonly deletionId: number | null
  /** Null if only its references are cleared. */
  readonly deletionLevel: number | null
  /** Its fields after that. */
  readonly cleared: string | null
}

export const records = entity<RecordRow, Omit<RecordRow, 'id'>>('records', {
  id: 'assigned',
  collectionId: 'integer',
  ownerId: 'integer',
  version: 'integer',
  epoch: 'text',
  createdAt: 'integer',
  updatedAt: 'integer',
  data: 'text',
  shape: 'integer',
  next: 'text',
  nextShape: 'integer',
  bytes: 'integer',
  deletionId: 'integer',
  deletionLevel: 'integer',
  cleared: 'text',
})

export const deletions = entity<Deletion, NewDeletion>('deletions', {
  id: 'assigned',
  target: 'text',
  targetId: 'integer',
  state: 'text',
  leaseUntil: 'integer',
  reached: 'json',
  cleared: 'json',
  actorId: 'integer',
  requestId: 'text',
  sessionId: 'integer',
  createdAt: 'integer',
})

/** An entry of an index of a collection defined at run time; see record-keys.ts. */
export interface RecordKey {
  readonly indexId: number
  readonly key: Uint8Array
  /** Of the record, so that records with equal keys are in the order of their creation. */
  readonly createdAt: Instant
  readonly recordId: number
  readonly isUnique: boolean
}

export const recordKeys = entity<RecordKey>(
  'record_keys',
  { indexId: 'integer', key: 'bytes', createdAt: 'integer', recordId: 'integer', isUnique: 'boolean' },
  { key: ['index_id', 'key', 'created_at', 'record_id'] },
)

export const backups = entity<Backup, NewBackup>('backups', {
  id: 'assigned',
  state: 'text',
  name: 'text',
  size: 'integer',
  sha256: 'text',
  encrypted: 'boolean',
  detail: 'text',
  createdAt: 'integer',
  finishedAt: 'integer',
  verifiedAt: 'integer',
  leaseUntil: 'integer',
})
