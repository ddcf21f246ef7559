import type { RefreshToken, SignInSource } from '../../application/ports/accounts.ts'
import type { LoggedEvent, NewEvent } from '../../domain/event.ts'
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

export const events = entity<Encoded<LoggedEvent, 'data'>, Encoded<NewEvent, 'data'>>(
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
    createdAt: 'integer',
  },
  { key: ['cursor'], columnNames: { position: 'cursor' } },
)
