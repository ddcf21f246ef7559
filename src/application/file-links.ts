import { AppError, notFound } from '../domain/errors.ts'
import { type FileLink, MAX_LINKS_PER_CREATOR_COUNT, type StoredFile } from '../domain/file.ts'
import type { Page } from '../domain/page.ts'
import type { Caller, Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import { requireActiveActor } from './access.ts'
import { audit } from './audit.ts'
import { visibleFile } from './files.ts'
import { type IdempotencyRequest, type IdempotentResult, withIdempotency } from './idempotency.ts'
import type { FileLinkQuery, ReadTx, Tx, UnitOfWork } from './ports/persistence.ts'
import type { LinkSigner, SignedParts } from './ports/security.ts'
import type { Clock, Reserve } from './ports/system.ts'
import { requireRoom } from './reserve.ts'

export interface SignedLink {
  readonly link: FileLink
  readonly parts: SignedParts
  readonly signature: string
}

export type FileLinkPage = Omit<FileLinkQuery, 'fileId' | 'aliveAt'>

/**
 * Links that give anyone access to one file. Creating, listing and revoking them requires access to the file
 * (`not_found`).
 */
export interface FileLinks {
  /**
   * Throws `idempotency_mismatch`, and `too_many_links` when the actor has the maximum number of valid
   * links.
   */
  create(
    actor: Caller,
    fileId: number,
    lifetimeSeconds: number,
    idempotency: IdempotencyRequest<SignedLink> | null,
  ): Promise<IdempotentResult<SignedLink>>
  /** Those that have not expired. */
  list(actor: Principal, fileId: number, page: FileLinkPage): Promise<Page<SignedLink>>
  get(actor: Principal, fileId: number, id: number): Promise<SignedLink>
  /** The link stops working with the next request. */
  remove(actor: Caller, fileId: number, id: number): Promise<void>
  /**
   * The file of a signed link. Throws `not_found` if the signature is invalid, the link has expired or was revoked, the
   * file is gone, or its creator can no longer see the file.
   */
  resolve(parts: SignedParts, signature: string): Promise<StoredFile>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly signer: LinkSigner
  readonly clock: Clock
  readonly reserve: Reserve
}

/** How many expired links are removed to make room for a new one; few enough not to delay others. */
const MAX_SLICE_COUNT = 200

const makeRoom = async (tx: Tx, creatorId: number, now: Instant): Promise<void> => {
  if ((await tx.fileLinks.countCreatedBy(creatorId, MAX_LINKS_PER_CREATOR_COUNT)) < MAX_LINKS_PER_CREATOR_COUNT) return
  if ((await tx.fileLinks.deleteExpiredOf(creatorId, now, MAX_SLICE_COUNT)) > 0) return
  throw new AppError('too_many_links', `You have ${MAX_LINKS_PER_CREATOR_COUNT} valid links, which is the limit`)
}

/**
 * Whether the link is still valid: both accounts are active, and the creator is the owner or an admin. A change that
 * revokes the right also deletes the link; this check covers a link created at the same moment.
 */
const isBacked = async (tx: ReadTx, { creatorId }: FileLink, { ownerId }: StoredFile): Promise<boolean> => {
  // The rows of a removed user's files exist for a moment after the user.
  const owner = await tx.users.findById(ownerId)
  if (owner === null || !owner.isActive) return false
  if (creatorId === ownerId) return true
  const creator = await tx.users.findById(creatorId)
  return creator?.isActive === true && creator.role === 'admin'
}

export const createFileLinks = ({ unitOfWork, signer, clock, reserve }: Deps): FileLinks => {
  const signed = (link: FileLink): SignedLink => {
    const parts = { fileId: link.fileId, linkId: link.id, expires: link.expiresAt / 1_000 }
    return { link, parts, signature: signer.sign(parts) }
  }

  const requireUnexpired = async (tx: ReadTx, fileId: number, id: number): Promise<FileLink> => {
    const link = await tx.fileLinks.find(fileId, id)
    if (link === null || link.expiresAt <= clock.now()) throw notFound('Link')
    return link
  }

  return {
    create: (actor, fileId, lifetimeSeconds, idempotency) =>
      unitOfWork.write(async (tx) => {
        const now = clock.now()
        const current = await requireActiveActor(tx, actor, now)
        requireRoom(reserve, current)
        const { ownerId } = await visibleFile(tx, current, fileId)
        // Whole seconds, as in the link.
        const expiresAt = (Math.ceil(now / 1_000) + lifetimeSeconds) * 1_000
        const creatorId = current.userId
        return withIdempotency(tx, current, idempotency, now, {
          async work() {
            await makeRoom(tx, creatorId, now)
            const link = await tx.fileLinks.insert({ fileId, ownerId, creatorId, expiresAt, createdAt: now })
            const details = { link: link.id, expires_at: new Date(expiresAt).toISOString() }
            await audit(tx, current, 'link.created', { subject: `files/${fileId}`, details, now })
            return signed(link)
          },
          owners: () => [ownerId],
        })
      }),

    list: (actor, fileId, page) =>
      unitOfWork.read(async (tx) => {
        await visibleFile(tx, actor, fileId)
        const links = await tx.fileLinks.list({ ...page, fileId, aliveAt: clock.now() })
        return { ...links, items: links.items.map(signed) }
      }),

    get: (actor, fileId, id) =>
      unitOfWork.read(async (tx) => {
        await visibleFile(tx, actor, fileId)
        return signed(await requireUnexpired(tx, fileId, id))
      }),

    remove: (actor, fileId, id) =>
      unitOfWork.write(async (tx) => {
        const now = clock.now()
        const current = await requireActiveActor(tx, actor, now)
        await visibleFile(tx, current, fileId)
        await tx.fileLinks.delete((await requireUnexpired(tx, fileId, id)).id)
        await audit(tx, current, 'link.deleted', { subject: `files/${fileId}`, details: { link: id }, now })
      }),

    async resolve(parts, signature) {
      if (!signer.verify(parts, signature)) throw notFound('File')
      return unitOfWork.read(async (tx) => {
        const link = await requireUnexpired(tx, parts.fileId, parts.linkId)
        const file = await tx.files.findById(parts.fileId)
        if (file === null || link.expiresAt !== parts.expires * 1_000) throw notFound('File')
        if (!(await isBacked(tx, link, file))) throw notFound('File')
        return file
      })
    },
  }
}
