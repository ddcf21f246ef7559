import type { MailRequest } from '../domain/mail.ts'
import { MAIL_TOKEN_TTL, type MailToken, type MailTokenPurpose } from '../domain/mail-token.ts'
import type { Instant, User } from '../domain/user.ts'
import type { Tx } from './ports/persistence.ts'
import type { OpaqueTokens } from './ports/security.ts'

/** 132 bits: nobody guesses them, and a link to localhost fits into an unbroken line of mail. */
const TOKEN_LENGTH = 22

/** The token that a nonce stands for. Only its hash and the nonce are stored: a stolen database opens no account. */
export const mailedToken = (opaqueTokens: OpaqueTokens, nonce: string): string =>
  opaqueTokens.derive(`mail ${nonce}`).slice(0, TOKEN_LENGTH)

interface Issue {
  readonly user: User
  readonly purpose: MailTokenPurpose
  /** Where it is mailed to, and what it will prove. */
  readonly email: string
  readonly template: 'welcome' | 'verify' | 'reset'
  readonly now: Instant
}

/** Queues a mail with a new token, which voids the user's older one for that purpose. */
export const mailToken = async (tx: Tx, opaqueTokens: OpaqueTokens, issue: Issue): Promise<void> => {
  const { user, purpose, email, template, now } = issue
  const nonce = opaqueTokens.generate()
  const token: MailToken = {
    userId: user.id,
    purpose,
    email,
    nonce,
    hash: opaqueTokens.hash(mailedToken(opaqueTokens, nonce)),
    expiresAt: now + MAIL_TOKEN_TTL[purpose],
  }
  await tx.mailTokens.put(token)
  await queueMail(tx, { template, to: email, name: user.name, nonce }, now)
}

export const queueMail = (tx: Tx, payload: MailRequest, now: Instant): Promise<void> =>
  tx.jobs.enqueue({ kind: 'mail', payload, now })
