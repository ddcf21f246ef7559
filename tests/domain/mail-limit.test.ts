import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { countedMails, MAX_MAIL_DELAY_MS, nextMailAt } from '../../src/domain/mail-limit.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** When mails go that are asked for after these pauses. */
const sent = (pauses: readonly number[], maxDelayMs: number): readonly number[] => {
  let now = 1_000_000_000
  let times: readonly number[] = []
  const all: number[] = []
  for (const pause of pauses) {
    now += pause
    times = countedMails(times, now)
    const at = nextMailAt(times, now)
    if (at - now > maxDelayMs) continue
    times = [...times, at]
    all.push(at)
  }
  return all
}

test('however they are asked for, no two mails go within a minute and no six within an hour', () => {
  const pauses = fc.array(fc.oneof(fc.nat(2_000), fc.nat(2 * MINUTE_MS), fc.nat(2 * HOUR_MS)), { maxLength: 60 })
  fc.assert(
    fc.property(pauses, fc.constantFrom(0, MAX_MAIL_DELAY_MS), (given, maxDelayMs) => {
      const times = sent(given, maxDelayMs)
      for (const [index, at] of times.entries()) {
        expect(at - (times[index - 1] ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(MINUTE_MS)
        expect(at - (times[index - 5] ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(HOUR_MS)
      }
    }),
  )
})

test('a clock that was set back delays mail for at most an hour', () => {
  const now = 1_000_000_000
  expect(nextMailAt(countedMails([now + 1_000 * HOUR_MS], now), now)).toBe(now)
})
