/** What we write to people about. `nonce` names the mailed token whose link the mail carries. */
export type MailRequest =
  | {
      readonly template: 'welcome' | 'verify' | 'reset'
      readonly to: string
      readonly name: string
      readonly nonce: string
    }
  | {
      readonly template: 'password-changed'
      readonly to: string
      readonly name: string
    }
  | {
      readonly template: 'email-change-requested' | 'email-changed'
      readonly to: string
      readonly name: string
      readonly newEmail: string
    }

export interface Mail {
  /** The same for every attempt to deliver it, so that a receiver can tell a repetition. */
  readonly id: string
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
}
