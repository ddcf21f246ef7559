import type { Instant } from './user.ts'

/** Between two mails of one kind to one recipient. */
const MIN_GAP_MS = 60_000
const HOUR_MS = 3_600_000
const MAX_PER_HOUR_COUNT = 5

/** How long a mail that nobody waits for may be put off to keep the limits; one that would take longer is dropped. */
export const MAX_MAIL_DELAY_MS = HOUR_MS

/** The earliest moment at which one more mail may follow those that go at `times`, oldest first. */
export const nextMailAt = (times: readonly Instant[], now: Instant): Instant => {
  const newest = times.at(-1) ?? Number.NEGATIVE_INFINITY
  const first = times.at(-MAX_PER_HOUR_COUNT) ?? Number.NEGATIVE_INFINITY
  return Math.max(now, newest + MIN_GAP_MS, first + HOUR_MS)
}

/** Those of `times` that still count. A clock that was set back leaves none that would count for ever. */
export const countedMails = (times: readonly Instant[], now: Instant): readonly Instant[] =>
  times.filter((at) => at > now - HOUR_MS && at <= now + MAX_MAIL_DELAY_MS)
