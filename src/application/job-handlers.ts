import { IDEMPOTENCY_TTL } from '../domain/idempotency.ts'
import type { Job } from '../domain/job.ts'
import type { MailRequest } from '../domain/mail.ts'
import { createFileJobs } from './file-jobs.ts'
import type { JobHandlers } from './jobs.ts'
import { writeMail } from './mail-templates.ts'
import { mailedToken, mailToken } from './mail-tokens.ts'
import type { BlobStore } from './ports/blobs.ts'
import type { Mailer } from './ports/messaging.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { OpaqueTokens } from './ports/security.ts'
import type { Clock } from './ports/system.ts'

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly mailer: Mailer
  readonly blobs: BlobStore
  readonly opaqueTokens: OpaqueTokens
  readonly clock: Clock
  /** Base of links, without a slash at the end. */
  readonly publicUrl: string
}

const HOUR = 3_600_000
const DONE_KEPT = 24 * HOUR
const DEAD_KEPT = 30 * 24 * HOUR
/** How much of what a removed user leaves behind goes in one transaction. */
const CHUNK = 200

export const createJobHandlers = (deps: Deps): JobHandlers => {
  const { unitOfWork, mailer, opaqueTokens, clock, publicUrl } = deps
  const files = createFileJobs(deps)

  const sendMail = async (job: Job, signal: AbortSignal) => {
    const request = job.payload as MailRequest
    const nonce = 'nonce' in request ? request.nonce : null
    // A newer mail, or a changed address, voided the link: it would only confuse.
    if (nonce !== null && (await unitOfWork.read((tx) => tx.mailTokens.findByNonce(nonce))) === null) return
    const token = nonce === null ? '' : mailedToken(opaqueTokens, nonce)
    await mailer.send(writeMail(request, `job-${job.id}`, { publicUrl, token }), signal)
  }

  const passwordForgotten = async (job: Job) => {
    const { email } = job.payload as { readonly email: string }
    const now = clock.now()
    await unitOfWork.write(async (tx) => {
      const user = await tx.users.findByEmail(email)
      if (user === null || !user.isActive) return
      await mailToken(tx, opaqueTokens, { user, purpose: 'reset', email, template: 'reset', now })
    })
  }

  const cleanUp = async () => {
    const now = clock.now()
    await unitOfWork.write(async (tx) => {
      await tx.sessions.deleteExpired(now)
      await tx.mailTokens.deleteExpired(now)
      await tx.fileLinks.deleteExpired(now)
      await tx.idempotency.deleteOld(now - IDEMPOTENCY_TTL)
      await tx.jobs.deleteFinished({ done: now - DONE_KEPT, dead: now - DEAD_KEPT })
    })
  }

  const forgetUser = async (job: Job, signal: AbortSignal) => {
    const { userId } = job.payload as { readonly userId: number }
    /** Each removes up to so much of what the user owned, and answers how much it was. */
    const steps: readonly ((tx: Tx, limit: number) => Promise<number>)[] = [
      (tx, limit) => files.forget(tx, userId, limit),
    ]
    for (const step of steps) {
      do signal.throwIfAborted()
      while ((await unitOfWork.write((tx) => step(tx, CHUNK))) === CHUNK)
    }
  }

  return {
    mail: { deadline: 60_000, run: sendMail },
    'password-forgotten': { deadline: 10_000, run: passwordForgotten },
    'forget-user': { deadline: 60_000, run: forgetUser },
    'delete-blob': { deadline: 60_000, run: files.deleteBlob },
    'sweep-blobs': { deadline: 80_000, every: 24 * HOUR, run: files.sweep },
    'clean-up': { deadline: 60_000, every: HOUR, run: cleanUp },
  }
}
