import { AppError } from '../domain/errors.ts'
import type { MailRequest, QueuedMail } from '../domain/mail.ts'
import { countedMails, MAX_MAIL_DELAY_MS, nextMailAt } from '../domain/mail-limit.ts'
import { MAIL_TOKEN_TTL_MS, type MailToken, type MailTokenPurpose } from '../domain/mail-token.ts'
import type { Instant, User } from '../domain/user.ts'
import type { Tx } from './ports/persistence.ts'
import type { OpaqueTokens } from './ports/security.ts'

/** 132 bits cannot be guessed, and a link to localhost fits into one line of mail. */
const TOKEN_LENGTH = 22

/**
 * The token that a nonce stands for. Only its hash and the nonce are stored, so a stolen database gives no access to
 * accounts.
 */
export const tokenOfNonce = (opaqueTokens: OpaqueTokens, nonce: string): string =>
  opaqueTokens.derive(`mail ${nonce}`).slice(0, TOKEN_LENGTH)

/** When a mail that is requested now is sent. If `queued` is false, the limits forbid it before `at`. */
interface MailSlot {
  readonly queued: boolean
  readonly at: Instant
}

interface MailSlotRequest {
  readonly template: MailRequest['template']
  readonly to: string
  readonly now: Instant
  /** How many milliseconds the mail may be delayed. */
  readonly maxDelayMs: number
}

/**
 * Mail to `name+anything@domain` arrives in the mailbox of `name@domain` (RFC 5233), so both count as one recipient.
 */
const mailboxOf = (address: string): string => address.replace(/(?<=.)\+[^@]*(?=@)/, '')

const reserveMailSlot = async (tx: Tx, { template, to, now, maxDelayMs }: MailSlotRequest): Promise<MailSlot> => {
  const mailbox = mailboxOf(to)
  const times = countedMails(await tx.mailLimits.find(mailbox, template), now)
  const at = nextMailAt(times, now)
  if (at - now > maxDelayMs) return { queued: false, at }
  await tx.mailLimits.put(mailbox, template, [...times, at])
  return { queued: true, at }
}

const enqueue = (tx: Tx, opaqueTokens: OpaqueTokens, request: MailRequest, now: Instant, runAt: Instant) => {
  const payload: QueuedMail = { ...request, messageId: opaqueTokens.generate() }
  return tx.jobs.enqueue({ kind: 'mail', payload, now, runAt })
}

const tooManyMails = (at: Instant, now: Instant) =>
  new AppError('too_many_requests', 'Too many mails to this address', {
    retryAfterSeconds: Math.max(1, Math.ceil((at - now) / 1_000)),
  })

/** The user-supplied text that mails to a user's address may contain: none until the address is verified. */
export const ifVerified = ({ emailVerified }: User, typed: string): string | null => (emailVerified ? typed : null)

interface Issue {
  readonly user: User
  /** The address it is mailed to, which using it verifies. */
  readonly email: string
  readonly template: 'welcome' | 'verify' | 'reset'
  readonly now: Instant
}

const PURPOSES: Readonly<Record<Issue['template'], MailTokenPurpose>> = {
  welcome: 'verify',
  verify: 'verify',
  reset: 'reset',
}

/**
 * Queues a mail with a new token, which replaces the user's older one for that purpose. Does neither if the mail limits
 * forbid it. Only a welcome mail, which nobody is waiting for, may be delayed by them.
 */
export const queueTokenMail = async (tx: Tx, opaqueTokens: OpaqueTokens, issue: Issue): Promise<MailSlot> => {
  const { user, email, template, now } = issue
  const maxDelayMs = template === 'welcome' ? MAX_MAIL_DELAY_MS : 0
  const slot = await reserveMailSlot(tx, { template, to: email, now, maxDelayMs })
  if (!slot.queued) return slot
  const nonce = opaqueTokens.generate()
  const purpose = PURPOSES[template]
  const token: MailToken = {
    userId: user.id,
    purpose,
    email,
    nonce,
    hash: opaqueTokens.hash(tokenOfNonce(opaqueTokens, nonce)),
    // Set again when the mail is handed over.
    expiresAt: now + MAIL_TOKEN_TTL_MS[purpose],
  }
  await tx.mailTokens.put(token)
  const request: MailRequest =
    template === 'reset'
      ? { template, to: email, name: ifVerified(user, user.name), nonce }
      : { template, to: email, nonce }
  await enqueue(tx, opaqueTokens, request, now, slot.at)
  return slot
}

/** As {@link queueTokenMail}, but throws `too_many_requests` if the limits forbid the mail. */
export const requireTokenMail = async (tx: Tx, opaqueTokens: OpaqueTokens, issue: Issue): Promise<void> => {
  const { queued, at } = await queueTokenMail(tx, opaqueTokens, issue)
  if (!queued) throw tooManyMails(at, issue.now)
}

type Notification = { readonly user: User; readonly now: Instant } & (
  | { readonly template: 'password-changed' }
  | { readonly template: 'email-change-requested' | 'email-changed'; readonly newEmail: string | null }
)

/**
 * Notifies a user, at their current address, of a change to their account. The mail limits may delay it, and drop it if
 * an hour's worth of mails is already queued.
 */
export const queueNotification = async (
  tx: Tx,
  opaqueTokens: OpaqueTokens,
  notification: Notification,
): Promise<MailSlot> => {
  const { user, now, ...about } = notification
  const slot = await reserveMailSlot(tx, {
    template: about.template,
    to: user.email,
    now,
    maxDelayMs: MAX_MAIL_DELAY_MS,
  })
  if (!slot.queued) return slot
  const recipient = { to: user.email, name: ifVerified(user, user.name) }
  const request: MailRequest =
    about.template === 'password-changed' ? { ...about, ...recipient } : { ...about, ...recipient }
  await enqueue(tx, opaqueTokens, request, now, slot.at)
  return slot
}

/**
 * As {@link queueNotification}, for a change that must not happen without a notification. Throws `too_many_requests`
 * instead of dropping it.
 */
export const requireNotification = async (
  tx: Tx,
  opaqueTokens: OpaqueTokens,
  notification: Notification,
): Promise<void> => {
  const { queued, at } = await queueNotification(tx, opaqueTokens, notification)
  if (!queued) throw tooManyMails(at, notification.now)
}
