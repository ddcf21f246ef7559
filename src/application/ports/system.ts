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
