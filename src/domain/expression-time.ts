const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** The longest text that is read as a timestamp. */
const MAX_TIMESTAMP_LENGTH = 64

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z, as in CEL. */
const MIN_TIMESTAMP_MS = -62_135_596_800_000
const MAX_TIMESTAMP_MS = 253_402_300_799_999

export const isTimestamp = (ms: number): boolean => ms >= MIN_TIMESTAMP_MS && ms <= MAX_TIMESTAMP_MS

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

const daysOf = (year: number, month: number): number => {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month === 2 && isLeap ? 29 : (DAYS[month - 1] ?? 0)
}

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
const DAYS_BEFORE_1970 = 719_162

/** Days since 1970 in the Gregorian calendar. `Date.UTC` takes the years 0 to 99 for others. */
const dayOf = (year: number, month: number, day: number): number => {
  const past = year - 1
  const leapDay = month > 2 && daysOf(year, 2) === 29 ? 1 : 0
  const inYear = (DAYS_BEFORE_MONTH[month - 1] ?? 0) + leapDay + day - 1
  const leapDays = Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400)
  return past * 365 + leapDays + inYear - DAYS_BEFORE_1970
}

const digit = (text: string, at: number): number => {
  const value = text.charCodeAt(at) - 0x30
  return value >= 0 && value <= 9 ? value : Number.NaN
}

/** NaN if there are no two digits. */
const twoDigits = (text: string, at: number): number => digit(text, at) * 10 + digit(text, at + 1)

/** The milliseconds of `HH:MM:SS`; NaN if it is not a time. */
const timeAt = (text: string, at: number): number => {
  const hour = twoDigits(text, at)
  const minute = twoDigits(text, at + 3)
  const second = twoDigits(text, at + 6)
  if (text[at + 2] !== ':' || text[at + 5] !== ':' || hour > 23 || minute > 59 || second > 60) return Number.NaN
  return hour * HOUR_MS + minute * MINUTE_MS + second * 1_000
}

/** The milliseconds of `Z` or `+HH:MM` at the end of a text; NaN for anything else. */
const offsetAt = (text: string, at: number): number => {
  const sign = text[at]
  if (sign === 'Z' || sign === 'z') return text.length === at + 1 ? 0 : Number.NaN
  if ((sign !== '+' && sign !== '-') || text.length !== at + 6 || text[at + 3] !== ':') return Number.NaN
  const [hour, minute] = [twoDigits(text, at + 1), twoDigits(text, at + 4)]
  if (hour > 23 || minute > 59) return Number.NaN
  return (hour * HOUR_MS + minute * MINUTE_MS) * (sign === '-' ? -1 : 1)
}

/** The end of the digits that begin at `at`. */
const digitsEnd = (text: string, at: number): number => {
  let end = at
  while (digit(text, end) >= 0) end++
  return end
}

/**
 * The milliseconds since 1970 of an RFC 3339 text; null for any other. Finer digits are cut off. A leap second is the first
 * second of the next minute. Lists parse one for each row, so this uses no regular expression.
 */
export const parseTimestamp = (text: string): number | null => {
  if (text.length > MAX_TIMESTAMP_LENGTH || text[4] !== '-' || text[7] !== '-') return null
  if (text[10] !== 'T' && text[10] !== 't') return null
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2)
  const month = twoDigits(text, 5)
  const day = twoDigits(text, 8)
  if (!(day >= 1 && day <= daysOf(year, month))) return null
  const fractionEnd = text[19] === '.' ? digitsEnd(text, 20) : 19
  if (fractionEnd === 20) return null
  let fractionMs = 0
  for (let at = 20; at < 23; at++) fractionMs = fractionMs * 10 + (at < fractionEnd ? digit(text, at) : 0)
  const ms = dayOf(year, month, day) * DAY_MS + timeAt(text, 11) + fractionMs - offsetAt(text, fractionEnd)
  return isTimestamp(ms) ? ms : null
}

const UNIT_MS: Readonly<Record<string, number>> = { h: HOUR_MS, m: MINUTE_MS, s: 1_000, ms: 1 }
const DURATION = /^([+-]?)((?:\d{1,15}(?:\.\d{1,15})?(?:h|ms|m|s))+)$/
const DURATION_PART = /(\d+(?:\.\d+)?)(h|ms|m|s)/g

/** The longest text that is read as a duration. */
const MAX_DURATION_LENGTH = 64

/** Ten thousand years, as in CEL. */
const MAX_DURATION_MS = 315_576_000_000_000

/** The milliseconds of a CEL duration (`1h30m`, `-1.5s`); null for any other text, and for fractions of a millisecond. */
export const parseDuration = (text: string): number | null => {
  if (text.length > MAX_DURATION_LENGTH) return null
  const [, sign, parts] = DURATION.exec(text) ?? []
  if (parts === undefined) return null
  let ms = 0
  for (const [, number, unit = ''] of parts.matchAll(DURATION_PART)) ms += Number(number) * (UNIT_MS[unit] ?? 0)
  // Parts such as 0.1h are not exact in binary.
  const rounded = Math.round(ms)
  if (Math.abs(ms - rounded) > 1e-6 || rounded > MAX_DURATION_MS) return null
  return sign === '-' ? -rounded : rounded
}
