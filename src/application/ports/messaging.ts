import type { Mail } from '../../domain/mail.ts'
import type { RateLimiter } from './security.ts'
import type { Check } from './system.ts'

/** Notifies every process that what it remembers of a user's rights must be looked up again. */
export interface AccessNotices {
  /**
   * Whether all who publish are in this process. Otherwise a notice can be lost on its way, and what is remembered has
   * to be looked up again so often that it is never older than it may be.
   */
  readonly complete: boolean
  /** To be called after the change is committed and before it is answered. */
  publish(userId: number): void | Promise<void>
  /** Every listener in this process has been called when `publish` resolves. */
  subscribe(listener: (userId: number) => void): void
}

/** What other processes may have to look for after a commit. */
export const COMMIT_SIGNALS = ['events', 'jobs'] as const
export type CommitSignal = (typeof COMMIT_SIGNALS)[number]

/** Notifies the other processes on this database of a commit. They also poll, so a lost signal only costs time. */
export interface CommitSignals {
  /** To be called after a commit. Returns at once and never throws; may be lost. */
  publish(signal: CommitSignal): void
  /** Called for signals of other processes, and with every signal when some may have been missed. */
  subscribe(listener: (signal: CommitSignal) => void): void
}

/** What the processes on one database share, or what one has to itself. */
export interface Bus {
  readonly limiter: RateLimiter
  readonly notices: AccessNotices
  readonly commitSignals: CommitSignals
  readonly checks: readonly Check[]
  close(): Promise<void>
}

/** A failure that no further attempt would mend. */
export class PermanentFailure extends Error {}

export interface Mailer {
  /**
   * Resolves when the next server, or the disk, has taken responsibility for it. Rejects with {@link PermanentFailure}
   * when it never will; no message of a failure holds a password or a token.
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>
}
