/**
 * What we write to people about. `nonce` names the mailed token whose link the mail carries. What someone typed is null
 * unless `to` is proven: otherwise it would reach a stranger under our name.
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

/** A mail as it waits to be sent. */
export type QueuedMail = MailRequest & {
  /** Random. Absent in jobs that an older program queued. */
  readonly messageId?: string
}

/** Whom mail is from. */
export interface Sender {
  /** May be empty. */
  readonly name: string
  readonly address: string
}

export interface Mail {
  /** Names it in this installation, the same for every attempt to deliver it. */
  readonly id: string
  /** Like {@link id}, but globally unique, so that a receiver can recognise a repetition. */
  readonly messageId: string
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
}
