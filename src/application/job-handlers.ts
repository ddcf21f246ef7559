import type { Collection } from '../domain/collection.ts'
import { IDEMPOTENCY_TTL_MS } from '../domain/idempotency.ts'
import type { Job, PasswordForgotten } from '../domain/job.ts'
import type { QueuedMail } from '../domain/mail.ts'
import { MAIL_TOKEN_TTL_MS } from '../domain/mail-token.ts'
import { erasedRecord, recordEvent } from '../domain/record.ts'
import { SIGN_IN_SOURCE_KEPT_MS } from '../domain/session.ts'
import { createFileJobs } from './file-jobs.ts'
import type { CompletionWrite, JobHandlers } from './job-runner.ts'
import { type MailOptions, writeMail } from './mail-templates.ts'
import { mailedToken, mailToken } from './mail-tokens.ts'
import type { BlobStore } from './ports/blobs.ts'
import type { Mailer } from './ports/messaging.ts'
import type { EraseProgress, Tx, UnitOfWork } from './ports/persistence.ts'
import type { OpaqueTokens } from './ports/security.ts'
import type { Clock } from './ports/system.ts'

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly collections: readonly Collection[]
  readonly mailer: Mailer
  readonly blobs: BlobStore
  readonly opaqueTokens: OpaqueTokens
  readonly clock: Clock
  readonly mail: MailOptions
  /** Milliseconds for which a used refresh token is kept to detect its reuse. */
  readonly refreshTtl: number
  /** Milliseconds for which the log of changes is kept. */
  readonly eventRetention: number
}

const HOUR_MS = 3_600_000
const DONE_KEPT_MS = 24 * HOUR_MS
const DEAD_KEPT_MS = 30 * 24 * HOUR_MS
/** A mail that could not be sent may be retried as long as its job is kept, which renews its token's lifetime. */
const TOKEN_KEPT_MS = DEAD_KEPT_MS + 2 * 24 * HOUR_MS
const MAIL_LIMIT_KEPT_MS = HOUR_MS
const MAX_SLICE_COUNT = 200
/** For rows that can be as large as a record. */
const MAX_LARGE_SLICE_COUNT = 50

type Step = (tx: Tx, limit: number) => Promise<number>

export const createJobHandlers = (deps: Deps): JobHandlers => {
  const { unitOfWork, collections, mailer, opaqueTokens, clock, refreshTtl, eventRetention } = deps
  const files = createFileJobs(deps)

  const sendMail = async (job: Job, signal: AbortSignal, atEnd: (write: CompletionWrite) => void): Promise<void> => {
    const request = job.payload as QueuedMail
    const messageId = request.messageId ?? opaqueTokens.derive(`message ${job.id} ${job.createdAt}`)
    const send = (token: string) =>
      mailer.send(writeMail(request, { id: `job-${job.id}`, messageId }, deps.mail, token), signal)
    if (!('nonce' in request)) return send('')

    const { nonce } = request
    const ttl = MAIL_TOKEN_TTL_MS[request.template === 'reset' ? 'reset' : 'verify']
    const startedAt = clock.now()
    // The expiry is set before the mail is handed over: if the process ends in between, the link works until the mail
    // is sent again. If a newer mail or a changed address has replaced the token, the link would not work, and the mail
    // is not sent.
    if (!(await unitOfWork.write((tx) => tx.mailTokens.extend(nonce, startedAt + ttl)))) return
    await send(mailedToken(opaqueTokens, nonce))
    const sentAt = clock.now()
    if (sentAt > startedAt) atEnd(async (tx) => void (await tx.mailTokens.extend(nonce, sentAt + ttl)))
  }

  const passwordForgotten = async (job: Job) => {
    const { email, source = '' } = job.payload as PasswordForgotten
    const now = clock.now()
    await unitOfWork.write(async (tx) => {
      const user = await tx.users.findByEmail(email)
      if (user === null || !user.isActive) return
      // A stranger's request must not invalidate a link that the owner may be about to use.
      const current = await tx.mailTokens.findByUser(user.id, 'reset')
      const isLive = current !== null && current.email === email && current.expiresAt > now
      if (isLive && !(await tx.signInSources.has(user.id, source))) return
      // Beyond the mail limits, the link mailed before stays valid too.
      await mailToken(tx, opaqueTokens, { user, email, template: 'reset', now })
    })
  }

  /** Each step removes a limited number of rows and returns how many, so that none blocks other writes for long. */
  const inSlices = async (steps: readonly Step[], signal: AbortSignal, size = MAX_SLICE_COUNT) => {
    for (const step of steps) {
      do signal.throwIfAborted()
      while ((await unitOfWork.write((tx) => step(tx, size))) === size)
    }
  }

  const cleanUp = (_: Job, signal: AbortSignal) => {
    const now = clock.now()
    const steps: readonly Step[] = [
      (tx, limit) => tx.sessions.deleteExpired(now, limit),
      (tx, limit) => tx.refreshTokens.deleteSpent(now - refreshTtl, limit),
      (tx, limit) => tx.mailTokens.deleteExpired(now - TOKEN_KEPT_MS, limit),
      (tx, limit) => tx.mailLimits.deleteOld(now - MAIL_LIMIT_KEPT_MS, limit),
      (tx, limit) => tx.signInSources.deleteBefore(now - SIGN_IN_SOURCE_KEPT_MS, limit),
      (tx, limit) => tx.fileLinks.deleteExpired(now, limit),
      (tx, limit) => tx.idempotency.deleteOld(now - IDEMPOTENCY_TTL_MS, limit),
      (tx, limit) => tx.events.deleteBefore(now - eventRetention, limit),
      (tx, limit) => tx.jobs.deleteEnded('done', now - DONE_KEPT_MS, limit),
      (tx, limit) => tx.jobs.deleteEnded('dead', now - DEAD_KEPT_MS, limit),
    ]
    return inSlices(steps, signal)
  }

  /** Subscribers learn that the records are gone; the events do not contain their content. */
  const forgetRecords = async (tx: Tx, collection: Collection, job: Job, userId: number, limit: number) => {
    const author = { actorId: userId, requestId: `job-${job.id}`, createdAt: clock.now() }
    const removed = await tx.records(collection.name).deleteOwned(userId, limit)
    for (const record of removed) {
      await tx.events.append(recordEvent(collection, 'deleted', erasedRecord(collection, record), author))
    }
    return removed.length
  }

  const eraseEvents = async (userId: number, signal: AbortSignal) => {
    // On an engine that assigns cursors to events later, all events have one now.
    await unitOfWork.read((tx) => tx.events.bounds())
    let reached: EraseProgress | null = null
    do {
      signal.throwIfAborted()
      const after: EraseProgress | null = reached
      reached = await unitOfWork.write((tx) => tx.events.eraseOwned(userId, after, MAX_LARGE_SLICE_COUNT))
    } while (reached !== null)
  }

  const forgetUser = async (job: Job, signal: AbortSignal) => {
    const { userId } = job.payload as { readonly userId: number }
    await eraseEvents(userId, signal)
    const records = collections.map<Step>(
      (collection) => (tx, limit) => forgetRecords(tx, collection, job, userId, limit),
    )
    await inSlices(records, signal, MAX_LARGE_SLICE_COUNT)
    const steps: readonly Step[] = [
      (tx, limit) => files.forget(tx, userId, limit),
      (tx, limit) => tx.idempotency.deleteOwned(userId, limit),
    ]
    await inSlices(steps, signal)
    await unitOfWork.write((tx) => tx.usage.forget(userId))
  }

  return {
    mail: { deadline: 60_000, run: sendMail },
    'password-forgotten': { deadline: 10_000, run: passwordForgotten },
    // Works in slices that leave time for other work, so a large account takes a while.
    'forget-user': { deadline: 600_000, run: forgetUser },
    'delete-blob': { deadline: 60_000, run: files.deleteBlob },
    'sweep-blobs': { deadline: 80_000, every: 24 * HOUR_MS, run: files.sweep },
    'clean-up': { deadline: 60_000, every: HOUR_MS, run: cleanUp },
  }
}
