import { Cron } from 'croner'

/** Times given in cron's syntax, in UTC. */
export interface Schedule {
  /** As it was given. */
  readonly text: string
  /** The next time after `now`, in milliseconds since 1970; null if there is none. */
  next(now: number): number | null
}

/** Five fields, or a name such as `@daily`. Null for anything else, and for times that never come. */
export const parseSchedule = (text: string): Schedule | null => {
  if (!/^@\w+$/.test(text) && text.trim().split(/\s+/).length !== 5) return null
  try {
    const cron = new Cron(text, { timezone: 'UTC', paused: true })
    const next = (now: number) => cron.nextRun(new Date(now))?.getTime() ?? null
    return next(Date.now()) === null ? null : { text, next }
  } catch {
    return null
  }
}

/** An identity or a recipient of age. */
export const parseBackupKey = (text: string): string | null =>
  /^(?:AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{50,}|age1[0-9a-z]{50,})$/.test(text) ? text : null
