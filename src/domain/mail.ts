/**
 * The kinds of mail and their parameters. `nonce` identifies the mailed token of the mail's link. User-supplied text is
 * null unless `to` is verified, because otherwise it would reach a stranger in the server's name.
 */
export type MailRequest =
  | {
      readonly template: 'welcome' | 'verify'
      readonly to: string
      readonly nonce: string
    }
  | {
      readonly template: 'reset'
      readonly to: string
      readonly name: string | null
      readonly nonce: string
    }
  | {
      readonly template: 'password-changed'
      readonly to: string
      readonly name: string | null
    }
  | {
      readonly template: 'email-change-requested' | 'email-changed'
      readonly to: string
      readonly name: string | null
      readonly newEmail: string | null
    }

/** A queued mail. */
export type QueuedMail = MailRequest & {
  /** Random. Absent in jobs queued by an older release. */
  readonly messageId?: string
}

/** The sender of mail. */
export interface Sender {
  /** May be empty. */
  readonly name: string
  readonly address: string
}

export interface Mail {
  /** Identifies the mail in this installation; the same for every delivery attempt. */
  readonly id: string
  /** As {@link id}, but globally unique, so that a receiver can detect a duplicate. */
  readonly messageId: string
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
}
