import type { Instant } from './user.ts'

/** Minimum time between two mails of one kind to one recipient. */
const MIN_GAP_MS = 60_000
const HOUR_MS = 3_600_000
const MAX_PER_HOUR_COUNT = 5

/** How long a mail that nobody is waiting for may be delayed to keep the limits; beyond that, it is dropped. */
export const MAX_MAIL_DELAY_MS = HOUR_MS

/** The earliest time at which another mail may be sent after those at `times`, oldest first. */
export const nextMailAt = (times: readonly Instant[], now: Instant): Instant => {
  const newest = times.at(-1) ?? Number.NEGATIVE_INFINITY
  const first = times.at(-MAX_PER_HOUR_COUNT) ?? Number.NEGATIVE_INFINITY
  return Math.max(now, newest + MIN_GAP_MS, first + HOUR_MS)
}

/** The `times` that still count. Even if the clock is set back, none counts forever. */
export const countedMails = (times: readonly Instant[], now: Instant): readonly Instant[] =>
  times.filter((at) => at > now - HOUR_MS && at <= now + MAX_MAIL_DELAY_MS)
