import { DAY_MS } from '../../domain/expression-time.ts'

const MAX_DAYS_COUNT = 1_000
const numerals = (digits: number): readonly string[] =>
  Array.from({ length: 10 ** digits }, (_, number) => String(number).padStart(digits, '0'))
const TWO_DIGITS = numerals(2)
const THREE_DIGITS = numerals(3)
const days = new Map<number, string>()

/** Cache of date texts up to the `T`, because the same few repeat. */
const dateOf = (day: number): string => {
  const known = days.get(day)
  if (known !== undefined) return known
  const [date = ''] = new Date(day * DAY_MS).toISOString().split('T')
  if (days.size >= MAX_DAYS_COUNT) days.clear()
  days.set(day, `${date}T`)
  return `${date}T`
}

const textOf = (instant: number): string => {
  const day = Math.floor(instant / DAY_MS)
  const rest = instant - day * DAY_MS
  const seconds = Math.floor(rest / 1_000)
  const hours = TWO_DIGITS[Math.floor(seconds / 3_600)]
  const minutes = TWO_DIGITS[Math.floor(seconds / 60) % 60]
  return `${dateOf(day)}${hours}:${minutes}:${TWO_DIGITS[seconds % 60]}.${THREE_DIGITS[Math.trunc(rest % 1_000)]}Z`
}

const SLOTS_COUNT = 1_024
const instants = new Float64Array(SLOTS_COUNT).fill(Number.NaN)
const texts = new Array<string>(SLOTS_COUNT).fill('')

/**
 * RFC 3339, UTC, with milliseconds: as `Date.prototype.toISOString`, in a third of its time. Recent results, such as
 * the two equal times of a new row or those of a popular row, are cached. Throws a `RangeError` for an invalid date.
 */
export const toTimestamp = (instant: number): string => {
  const slot = instant & (SLOTS_COUNT - 1)
  const known = texts[slot]
  if (known !== undefined && instants[slot] === instant) return known
  const text = textOf(instant)
  instants[slot] = instant
  texts[slot] = text
  return text
}
