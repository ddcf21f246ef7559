import { IDEMPOTENCY_TTL } from '../domain/idempotency.ts'
import type { Job, PasswordForgotten } from '../domain/job.ts'
import type { MailRequest } from '../domain/mail.ts'
import { SIGN_IN_SOURCE_KEPT_MS } from '../domain/session.ts'
import { createFileJobs } from './file-jobs.ts'
import type { JobHandlers } from './job-runner.ts'
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
  /** Milliseconds for which a spent refresh token is recognised. */
  readonly refreshTtl: number
  /** Milliseconds for which the log of changes is kept. */
  readonly eventRetention: number
}

const HOUR = 3_600_000
const DONE_KEPT = 24 * HOUR
const DEAD_KEPT = 30 * 24 * HOUR
const SLICE = 200

type Step = (tx: Tx, limit: number) => Promise<number>

export const createJobHandlers = (deps: Deps): JobHandlers => {
  const { unitOfWork, mailer, opaqueTokens, clock, publicUrl, refreshTtl, eventRetention } = deps
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
    const { email, source = '' } = job.payload as PasswordForgotten
    const now = clock.now()
    await unitOfWork.write(async (tx) => {
      const user = await tx.users.findByEmail(email)
      if (user === null || !user.isActive) return
      // A stranger's request must not void the link that its owner may be about to use.
      const current = await tx.mailTokens.findByUser(user.id, 'reset')
      const isLive = current !== null && current.email === email && current.expiresAt > now
      if (isLive && !(await tx.signInSources.has(user.id, source))) return
      await mailToken(tx, opaqueTokens, { user, purpose: 'reset', email, template: 'reset', now })
    })
  }

  /** Each step removes up to so much and answers how much it was; none holds up other writes for long. */
  const inSlices = async (steps: readonly Step[], signal: AbortSignal) => {
    for (const step of steps) {
      do signal.throwIfAborted()
      while ((await unitOfWork.write((tx) => step(tx, SLICE))) === SLICE)
    }
  }

  const cleanUp = (_: Job, signal: AbortSignal) => {
    const now = clock.now()
    const steps: readonly Step[] = [
      (tx, limit) => tx.sessions.deleteExpired(now, limit),
      (tx, limit) => tx.refreshTokens.deleteSpent(now - refreshTtl, limit),
      (tx, limit) => tx.mailTokens.deleteExpired(now, limit),
      (tx, limit) => tx.signInSources.deleteBefore(now - SIGN_IN_SOURCE_KEPT_MS, limit),
      (tx, limit) => tx.fileLinks.deleteExpired(now, limit),
      (tx, limit) => tx.idempotency.deleteOld(now - IDEMPOTENCY_TTL, limit),
      (tx, limit) => tx.events.deleteBefore(now - eventRetention, limit),
      (tx, limit) => tx.jobs.deleteEnded('done', now - DONE_KEPT, limit),
      (tx, limit) => tx.jobs.deleteEnded('dead', now - DEAD_KEPT, limit),
    ]
    return inSlices(steps, signal)
  }

  const forgetItems = async (tx: Tx, job: Job, userId: number, limit: number) => {
    const change = { actorId: userId, requestId: `job-${job.id}`, createdAt: clock.now() }
    const removed = await tx.items.deleteOwned(userId, limit)
    for (const item of removed) await tx.events.append({ event: 'item.deleted', item, ...change })
    return removed.length
  }

  const forgetUser = (job: Job, signal: AbortSignal) => {
    const { userId } = job.payload as { readonly userId: number }
    const steps: readonly Step[] = [
      (tx, limit) => forgetItems(tx, job, userId, limit),
      (tx, limit) => files.forget(tx, userId, limit),
    ]
    return inSlices(steps, signal)
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
