import { type Job, jobRequestId, type PasswordForgotten } from '../domain/job.ts'
import type { QueuedMail } from '../domain/mail.ts'
import { MAIL_TOKEN_TTL_MS } from '../domain/mail-token.ts'
import { audit } from './audit.ts'
import type { CompletionWrite } from './job-runner.ts'
import { type MailOptions, writeMail } from './mail-templates.ts'
import { queueTokenMail, tokenOfNonce } from './mail-tokens.ts'
import type { Mailer } from './ports/messaging.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { OpaqueTokens } from './ports/security.ts'
import type { Clock } from './ports/system.ts'

export interface MailJobsDeps {
  readonly unitOfWork: UnitOfWork
  readonly mailer: Mailer
  readonly opaqueTokens: OpaqueTokens
  readonly clock: Clock
  readonly mail: MailOptions
}

/** Sends queued mails, and mails links to those who forgot their password. */
export const createMailJobs = ({ unitOfWork, mailer, opaqueTokens, clock, mail }: MailJobsDeps) => {
  const send = async (job: Job, signal: AbortSignal, onCompletion: (write: CompletionWrite) => void): Promise<void> => {
    const request = job.payload as QueuedMail
    const messageId = request.messageId ?? opaqueTokens.derive(`message ${job.id} ${job.createdAt}`)
    const sendWith = (token: string) =>
      mailer.send(writeMail(request, { id: jobRequestId(job), messageId }, mail, token), signal)
    if (!('nonce' in request)) return sendWith('')

    const { nonce } = request
    const ttl = MAIL_TOKEN_TTL_MS[request.template === 'reset' ? 'reset' : 'verify']
    const startedAt = clock.now()
    // The expiry is set before the mail is handed over: if the process ends in between, the link works until the mail
    // is sent again. If a newer mail or a changed address has replaced the token, the link would not work, and the mail
    // is not sent.
    if (!(await unitOfWork.write((tx) => tx.mailTokens.extend(nonce, startedAt + ttl)))) return
    await sendWith(tokenOfNonce(opaqueTokens, nonce))
    const sentAt = clock.now()
    if (sentAt > startedAt) onCompletion(async (tx) => void (await tx.mailTokens.extend(nonce, sentAt + ttl)))
  }

  const mailResetLink = async (job: Job) => {
    const { email, source = '', address = null, requestId = null } = job.payload as PasswordForgotten
    const now = clock.now()
    await unitOfWork.write(async (tx) => {
      const user = await tx.users.findByEmail(email)
      if (user === null || !user.isActive) return
      // A stranger's request must not invalidate a link that the owner may be about to use.
      const current = await tx.mailTokens.findByUser(user.id, 'reset')
      const isLive = current !== null && current.email === email && current.expiresAt > now
      if (isLive && !(await tx.signInSources.has(user.id, source))) return
      // Beyond the mail limits, the link mailed before stays valid too.
      await queueTokenMail(tx, opaqueTokens, { user, email, template: 'reset', now })
      const visitor = { userId: null, requestId: requestId ?? jobRequestId(job), address }
      await audit(tx, visitor, 'password.reset_requested', { subject: `users/${user.id}`, now })
    })
  }

  return { send, mailResetLink }
}
