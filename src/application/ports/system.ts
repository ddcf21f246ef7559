import type { Instant } from '../../domain/user.ts'

export interface Clock {
  now(): Instant
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  /** An `Error` under `error` is written with its stack and causes. */
  error(message: string, fields?: LogFields): void
}

/** Divides long work into slices, between which the event loop does other work. All long work shares one instance. */
export interface EventLoopSlices {
  /** Whether the slice of this turn of the event loop is used up. */
  isOver(): boolean
  /** Resolves in a later turn, for one caller a turn, in the order of the calls. */
  next(): Promise<void>
}

/** The last free space of the disks that the server writes to. */
export interface Reserve {
  /** Whether no more than that is left, as it was within the last second. Answers at once. */
  isReached(): boolean
}

/** A part of this process that can stop working. */
export interface Check {
  readonly name: string
  /** Rejects while this part does not work. */
  readonly run: () => Promise<void>
  /** Set where asking costs nothing, and the answer must not be older than the question. */
  readonly immediate?: true
  /** Set where others do its work, less well, until it works again: then the process stays ready. */
  readonly replaced?: true
}
