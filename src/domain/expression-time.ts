const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

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

/**
 * The milliseconds since 1970 of an RFC 3339 text; null if it is none. What is finer than a millisecond is cut off. A leap
 * second is the first second of the next minute.
 */
export const parseTimestamp = (text: string): number | null => {
  if (text.length > MAX_TIMESTAMP_LENGTH) return null
  const match = DATE_TIME.exec(text)
  if (match === null) return null
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number)
  const [fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = match.slice(7)
  if (day < 1 || day > daysOf(year, month) || hour > 23 || minute > 59 || second > 60) return null
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return null
  const offsetMs = Number(offsetHour) * HOUR_MS + Number(offsetMinute) * MINUTE_MS
  const date = new Date(0)
  // Unlike `Date.UTC`, this takes the years 1 to 99 for what they are.
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, Number(fraction.slice(0, 3).padEnd(3, '0')))
  const ms = date.getTime() - (sign === '-' ? -offsetMs : offsetMs)
  return isTimestamp(ms) ? ms : null
}

const UNIT_MS: Readonly<Record<string, number>> = { h: HOUR_MS, m: MINUTE_MS, s: 1_000, ms: 1 }
const DURATION = /^([+-]?)((?:\d{1,15}(?:\.\d{1,15})?(?:h|ms|m|s))+)$/
const DURATION_PART = /(\d+(?:\.\d+)?)(h|ms|m|s)/g

/** The longest text that is read as a duration. */
const MAX_DURATION_LENGTH = 64

/** Ten thousand years, as in CEL. */
const MAX_DURATION_MS = 315_576_000_000_000

/** The milliseconds of a duration as CEL writes it (`1h30m`, `-1.5s`); null if it is none, or finer than that. */
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
