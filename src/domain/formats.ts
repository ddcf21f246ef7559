import type { StringFormat } from './collection.ts'
import { DAY_MS, parseTimestamp } from './expression-time.ts'
import { isEmail, USER_LIMITS } from './user.ts'

const DATE = /^\d{4}-\d\d-\d\d$/
const UUID = /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/
const UUID_LENGTH = 36

/** The longest text of a time or a date with time. */
const MAX_TIME_LENGTH = 64
const DATE_LENGTH = 10
const TIME_WITHOUT_FRACTION = 'hh:mm:ss'.length

const LEAP_SECOND = ':60'
const LEAP_SECOND_AT = 'YYYY-MM-DDThh:mm'.length

/** A timestamp of RFC 3339, which has leap seconds only at the end of a day in UTC. Expressions accept others, too. */
const isDateTime = (text: string): boolean => {
  const ms = parseTimestamp(text)
  if (ms === null) return false
  // A leap second is parsed as the second after it.
  return !text.startsWith(LEAP_SECOND, LEAP_SECOND_AT) || Math.floor(ms / 1_000) % (DAY_MS / 1_000) === 0
}

const isDate = (text: string): boolean => DATE.test(text) && parseTimestamp(`${text}T00:00:00Z`) !== null

/** On this day, every offset leads to a year that a timestamp can have. */
const isTime = (text: string): boolean =>
  text.length > TIME_WITHOUT_FRACTION &&
  text.length <= MAX_TIME_LENGTH - DATE_LENGTH &&
  isDateTime(`2000-01-01T${text}`)

const URI = /^[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/
const AUTHORITY = /^(?:[^@[\]]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^:@[\]]*)(?::\d*)?$/
const NOT_IN_URI = /[^A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]/
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/
const BRACKET = /[[\]]/

/** An absolute URI (RFC 3986). */
const isUri = (text: string): boolean => {
  if (NOT_IN_URI.test(text) || BROKEN_ESCAPE.test(text)) return false
  const parts = URI.exec(text)
  if (parts === null) return false
  const [, authority = '', path = '', query = '', fragment = ''] = parts
  return AUTHORITY.test(authority) && !BRACKET.test(path) && !BRACKET.test(query) && !/[[\]#]/.test(fragment)
}

const ACCEPTS: Readonly<Record<StringFormat, (text: string) => boolean>> = {
  'date-time': isDateTime,
  date: isDate,
  time: isTime,
  email: (text) => text.trim() === text && isEmail(text),
  uri: isUri,
  uuid: (text) => text.length === UUID_LENGTH && UUID.test(text),
}

/**
 * Whether a text has a format, in time linear in its length. Times are those of RFC 3339 on days that exist; a time without
 * a date has an offset too, as JSON Schema requires.
 */
export const hasFormat = (format: StringFormat, text: string): boolean => ACCEPTS[format](text)

/** The words for a text of a format in messages. */
export const FORMAT_NOUNS: Readonly<Record<StringFormat, string>> = {
  'date-time': 'a date and time as in RFC 3339',
  date: 'a date such as 2026-01-31',
  time: 'a time of day with an offset, such as 09:30:00Z',
  email: 'an email address',
  uri: 'an absolute URI',
  uuid: 'a UUID',
}

/** The length of the longest text of a format; of a URI it is not limited. */
export const MAX_FORMAT_LENGTHS: Readonly<Record<StringFormat, number>> = {
  'date-time': MAX_TIME_LENGTH,
  date: DATE_LENGTH,
  time: MAX_TIME_LENGTH - DATE_LENGTH,
  email: USER_LIMITS.email.maxLength,
  uri: Number.POSITIVE_INFINITY,
  uuid: UUID_LENGTH,
}
