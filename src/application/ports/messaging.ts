import type { Mail } from '../../domain/mail.ts'
import type { RateLimiter } from './security.ts'
import type { Check } from './system.ts'

/** Notifies every process that cached rights of a user must be looked up again. */
export interface AccessNotices {
  /**
   * Whether `publish` resolves only when every listener has been called. If not, a notice can be lost, and cached rights
   * must be revalidated regularly.
   */
  readonly lossless: boolean
  /** Call it after the commit and before the response. */
  publish(userId: number): void | Promise<void>
  /** When `publish` resolves, every listener in this process has been called. */
  subscribe(listener: (userId: number) => void): void
}

/** What other processes should look for after a commit. */
export const COMMIT_SIGNALS = ['events', 'jobs'] as const
export type CommitSignal = (typeof COMMIT_SIGNALS)[number]

/** Notifies the other processes on this database of new data. They also poll regularly. */
export interface CommitSignals {
  /** Call it after a commit. Returns at once and never throws; the message may be lost. */
  publish(signal: CommitSignal): void
  /** Calls `listener` for messages of other processes, and once with every signal if some may have been lost. */
  subscribe(listener: (signal: CommitSignal) => void): void
}

/** Counts the sockets of each user in all threads of this process. */
export interface SocketSlots {
  /** Whether the user may have another one, which counts until it is released: false if there are `limit`. */
  take(userId: number, limit: number): boolean | Promise<boolean>
  release(userId: number): void
}

/** What the threads and processes on one database share, or a single one uses alone. */
export interface Bus {
  readonly limiter: RateLimiter
  readonly notices: AccessNotices
  readonly commitSignals: CommitSignals
  readonly socketSlots: SocketSlots
  readonly checks: readonly Check[]
  close(): Promise<void>
}

/** A failure that a retry cannot fix. */
export class PermanentFailure extends Error {}

export interface Mailer {
  /**
   * Resolves when the next server, or the disk, has taken responsibility for it. Rejects with {@link PermanentFailure}
   * if delivery is impossible; no error message contains a password or a token.
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>
}
