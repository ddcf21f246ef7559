import type { Backup } from '../domain/backup.ts'
import { BACKUP_LEASE_MS } from '../domain/backup.ts'
import { AppError, notFound } from '../domain/errors.ts'
import type { Page, PageRequest } from '../domain/page.ts'
import type { Caller, Principal, Visitor } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import { requireActiveActor, requireAdmin } from './access.ts'
import { type AuditActor, audit } from './audit.ts'
import { type IdempotencyRequest, type IdempotentResult, withIdempotency } from './idempotency.ts'
import type { Archives } from './ports/backups.ts'
import type { BlobBytes } from './ports/blobs.ts'
import type { ReadTx, Tx, UnitOfWork } from './ports/persistence.ts'
import type { LinkSigner, SignedBackupParts } from './ports/security.ts'
import type { Clock } from './ports/system.ts'

/** Gives anyone who has it access to one archive. */
export interface BackupLink {
  readonly parts: SignedBackupParts
  readonly signature: string
}

/** An archive that is there. */
export interface StoredArchive {
  readonly name: string
  readonly size: number
  readonly sha256: string
  read(first: number, end: number): Promise<BlobBytes>
}

/** What admins do with backups. Every method throws `forbidden` for other users. */
export interface Backups {
  /** Starts a backup, which a job writes. Throws `backup_running` while another one is. */
  create(caller: Caller, idempotency: IdempotencyRequest<Backup> | null): Promise<IdempotentResult<Backup>>
  list(actor: Principal, page: PageRequest<'created_at'>): Promise<Page<Backup>>
  /** Throws `not_found`. */
  get(actor: Principal, id: number): Promise<Backup>
  /** Removes it with its archive. Throws `not_found`, `backup_running`. */
  remove(caller: Caller, id: number): Promise<void>
  /** A job restores it into a scratch folder and compares. Throws `not_found`, `backup_running`. */
  verify(caller: Caller, id: number): Promise<Backup>
  /** Throws `not_found` if it has no archive, `backup_running`. */
  createLink(
    caller: Caller,
    id: number,
    lifetimeSeconds: number,
    idempotency: IdempotencyRequest<BackupLink> | null,
  ): Promise<IdempotentResult<BackupLink>>
  /** The archive of a backup. Throws `not_found` if it has none. */
  open(caller: Caller, id: number): Promise<StoredArchive>
  /**
   * The archive of a signed link. Throws `not_found` if the signature is invalid, the link has expired, its creator has
   * signed out or is no longer an admin, or the archive is gone.
   */
  resolve(
    parts: Omit<SignedBackupParts, 'sessionCreatedAt'>,
    signature: string,
    visitor: Pick<Visitor, 'requestId' | 'address'>,
  ): Promise<StoredArchive>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly archives: Pick<Archives, 'read'>
  readonly signer: LinkSigner<SignedBackupParts>
  readonly clock: Clock
  /** Whether archives are encrypted. */
  readonly encrypts: boolean
}

/** A backup that is begun at `now`. */
export const newBackup = (now: Instant, encrypted: boolean): Omit<Backup, 'id'> => ({
  state: 'running',
  name: null,
  size: null,
  sha256: null,
  encrypted,
  detail: null,
  createdAt: now,
  finishedAt: null,
  verifiedAt: null,
  leaseUntil: now + BACKUP_LEASE_MS,
})

const running = () => new AppError('backup_running', 'A backup is running')

/** Queues a backup in a transaction. Null while another one is running. */
export const startBackup = async (
  tx: Tx,
  { now, encrypts, by }: { readonly now: Instant; readonly encrypts: boolean; readonly by: AuditActor },
): Promise<Backup | null> => {
  if (await tx.backups.isRunning(now)) return null
  const backup = await tx.backups.insert(newBackup(now, encrypts))
  await tx.jobs.enqueue({ kind: 'backup', payload: { backupId: backup.id }, now })
  await audit(tx, by, 'backup.created', { subject: `backups/${backup.id}`, now })
  return backup
}

/** Has a job remove an archive, or what there is of it. */
export const discardArchive = async (tx: Tx, name: string, now: Instant): Promise<void> => {
  await tx.jobs.enqueue({ kind: 'delete-archive', payload: { name }, now })
}

/** After this, nobody continues a backup whose lease has expired. */
const ABANDONED_AFTER_MS = 3_600_000

/** Ends up to `limit` backups whose processes ended long ago, and returns how many. */
export const failAbandonedBackups = async (tx: Tx, now: Instant, limit: number): Promise<number> => {
  const abandoned = await tx.backups.expired(now - ABANDONED_AFTER_MS, limit)
  for (const backup of abandoned) {
    if (backup.name !== null) await discardArchive(tx, backup.name, now)
    await tx.backups.update({ ...backup, state: 'failed', name: null, detail: 'Its process ended', finishedAt: now })
  }
  return abandoned.length
}

const find = async (tx: ReadTx, id: number): Promise<Backup> => {
  const backup = await tx.backups.findById(id)
  if (backup === null) throw notFound('Backup')
  return backup
}

interface Stored extends Backup {
  readonly name: string
  readonly size: number
  readonly sha256: string
}

const hasArchive = (backup: Backup): backup is Stored =>
  backup.state === 'done' && backup.name !== null && backup.size !== null && backup.sha256 !== null

/** The backup, if it has an archive. */
const findStored = async (tx: ReadTx, id: number): Promise<Stored> => {
  const backup = await find(tx, id)
  if (backup.state === 'running') throw running()
  if (!hasArchive(backup)) throw notFound('Archive')
  return backup
}

/** Runs `work` in a transaction for an admin. */
const changeBy = async <T>(
  { unitOfWork, clock }: Pick<Deps, 'unitOfWork' | 'clock'>,
  caller: Caller,
  work: (tx: Tx, admin: Caller, now: Instant) => Promise<T>,
): Promise<T> =>
  unitOfWork.write(async (tx) => {
    const now = clock.now()
    const admin = await requireActiveActor(tx, caller, now)
    requireAdmin(admin)
    return work(tx, { ...admin, address: caller.address }, now)
  })

/** Access to the archives of backups. */
const createArchiveAccess = (deps: Deps): Pick<Backups, 'createLink' | 'open' | 'resolve'> => {
  const { unitOfWork, archives, signer, clock } = deps

  const stored = ({ name, size, sha256 }: Stored): StoredArchive => ({
    name,
    size,
    sha256,
    async read(first, end) {
      const bytes = await archives.read(name, first, end)
      if (bytes === null) throw notFound('Archive')
      return bytes
    },
  })

  const link = async (
    tx: Tx,
    actor: Caller,
    id: number,
    lifetimeSeconds: number,
    now: Instant,
  ): Promise<BackupLink> => {
    await findStored(tx, id)
    const account = await tx.sessions.findAccount(actor.sessionId)
    if (account === null) throw notFound('Session')
    const parts = {
      backupId: id,
      sessionId: actor.sessionId,
      sessionCreatedAt: account.createdAt,
      expires: Math.ceil(now / 1_000) + lifetimeSeconds,
    }
    const about = { subject: `backups/${id}`, details: { expires: parts.expires }, now }
    await audit(tx, actor, 'link.created', about)
    return { parts, signature: signer.sign(parts) }
  }

  return {
    createLink: (caller, id, lifetimeSeconds, idempotency) =>
      changeBy(deps, caller, (tx, admin, now) =>
        withIdempotency(tx, admin, idempotency, now, {
          work: () => link(tx, admin, id, lifetimeSeconds, now),
          owners: () => [null],
        }),
      ),

    open: (caller, id) =>
      changeBy(deps, caller, async (tx, admin, now) => {
        const backup = await findStored(tx, id)
        await audit(tx, admin, 'backup.read', { subject: `backups/${id}`, now })
        return stored(backup)
      }),

    resolve: ({ backupId, sessionId, expires }, signature, visitor) =>
      unitOfWork.write(async (tx) => {
        const now = clock.now()
        const account = await tx.sessions.findAccount(sessionId)
        if (account === null || !account.isActive || account.role !== 'admin') throw notFound('Archive')
        const parts = { backupId, sessionId, sessionCreatedAt: account.createdAt, expires }
        if (account.expiresAt <= now || expires * 1_000 <= now) throw notFound('Archive')
        if (!signer.verify(parts, signature)) throw notFound('Archive')
        const backup = await tx.backups.findById(backupId)
        if (backup === null || !hasArchive(backup)) throw notFound('Archive')
        const by = { ...visitor, userId: account.userId, role: account.role, sessionId }
        await audit(tx, by, 'backup.read', { subject: `backups/${backupId}`, now })
        return stored(backup)
      }),
  }
}

export const createBackups = (deps: Deps): Backups => {
  const { unitOfWork, encrypts } = deps
  return {
    ...createArchiveAccess(deps),

    create: (caller, idempotency) =>
      changeBy(deps, caller, (tx, admin, now) =>
        withIdempotency(tx, admin, idempotency, now, {
          async work() {
            const backup = await startBackup(tx, { now, encrypts, by: admin })
            if (backup === null) throw running()
            return backup
          },
          owners: () => [null],
        }),
      ),

    async list(actor, page) {
      requireAdmin(actor)
      return unitOfWork.read((tx) => tx.backups.list(page))
    },

    async get(actor, id) {
      requireAdmin(actor)
      return unitOfWork.read((tx) => find(tx, id))
    },

    remove: (caller, id) =>
      changeBy(deps, caller, async (tx, admin, now) => {
        const { state, name, leaseUntil } = await find(tx, id)
        if (state === 'running' && leaseUntil > now) throw running()
        await tx.backups.delete(id)
        if (name !== null) await discardArchive(tx, name, now)
        await audit(tx, admin, 'backup.deleted', { subject: `backups/${id}`, now })
      }),

    verify: (caller, id) =>
      changeBy(deps, caller, async (tx, admin, now) => {
        const backup = { ...(await findStored(tx, id)), detail: 'Being verified' }
        await tx.backups.update(backup)
        await tx.jobs.enqueue({ kind: 'verify-backup', payload: { backupId: id }, now, key: `verify-backup-${id}` })
        await audit(tx, admin, 'backup.verified', { subject: `backups/${id}`, now })
        return backup
      }),
  }
}
