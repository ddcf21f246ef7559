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
  /** Whether long work has used up its share of this turn of the event loop. */
  isOver(): boolean
  /** Resolves in a later turn, one caller per turn, in the order of the calls. */
  next(): Promise<void>
}

/** The reserved free space on the disks that the server writes to. */
export interface Reserve {
  /** Whether only the reserve is left, as measured within the last second. Returns at once. */
  isReached(): boolean
}

/** A component whose health can be checked. */
export interface Check {
  readonly name: string
  /** Rejects while the component does not work. */
  readonly run: () => Promise<void>
  /** Set if the check costs nothing and its result must not be cached. */
  readonly uncached?: true
  /** Set if the process stays ready with reduced service while the component does not work. */
  readonly optional?: true
}
