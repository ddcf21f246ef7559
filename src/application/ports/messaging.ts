import type { Mail } from '../../domain/mail.ts'

/** Tells every process that what it remembers of a user's rights must be looked up again. */
export interface AccessNotices {
  /** To be called after the change is committed and before it is answered. */
  publish(userId: number): void | Promise<void>
  /** Every listener in this process has heard a notice when its `publish` resolves. */
  subscribe(listener: (userId: number) => void): void
}

export interface Mailer {
  /** Resolves when the next server, or the disk, has taken responsibility for it. */
  send(mail: Mail, signal: AbortSignal): Promise<void>
}
