import { COMMON_PASSWORDS } from './common-passwords.ts'

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number

export const ROLES = ['user', 'admin'] as const
export type Role = (typeof ROLES)[number]

export interface User {
  readonly id: number
  readonly email: string
  readonly name: string
  readonly role: Role
  readonly isActive: boolean
  readonly emailVerified: boolean
  readonly passwordHash: string
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

export type NewUser = Omit<User, 'id'>

/** Lengths count characters (code points), as JSON Schema does. */
export const USER_LIMITS = {
  email: { maxLength: 254 },
  name: { minLength: 1, maxLength: 200 },
  password: { minLength: 8, maxLength: 128 },
} as const

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'

/** An address as HTML's `<input type=email>` accepts it; spaces around it are trimmed by {@link normalizeEmail}. */
export const EMAIL_PATTERN = `^\\s*[A-Za-z0-9.!#$%&'*+/=?^_\`{|}~-]{1,64}@${LABEL}(?:\\.${LABEL})*\\s*$`

const PAIR = '[\\uD800-\\uDBFF][\\uDC00-\\uDFFF]'

export interface Length {
  readonly minLength?: number
  readonly maxLength: number
}

const times = ({ minLength = 0, maxLength }: Length) => `{${minLength},${maxLength}}`

/** Text that UTF-8 can carry: no half of a surrogate pair, which every store would replace in its own way. */
export const textPattern = (length: Length): string => `^(?:[^\\uD800-\\uDFFF]|${PAIR})${times(length)}$`

const UNFIT = '\\u0000-\\u001F\\u007F-\\u009F\\u2028-\\u202E\\u2066-\\u2069'
const INVISIBLE = '\\s\\u200B-\\u200F\\u2060\\uFEFF'

/**
 * At least one visible character, and none that ends a line (or a mail header), steers a terminal or turns the
 * direction of what follows.
 */
export const linePattern = (length: Length): string =>
  `^(?=[\\s\\S]*[^${INVISIBLE}])(?:[^${UNFIT}\\uD800-\\uDFFF]|${PAIR})${times(length)}$`

/** {@link linePattern} for well-formed text of any length, in what all dialects of regular expressions share. */
export const LINE_PATTERN = `^[^${UNFIT}]*[^${UNFIT}${INVISIBLE}][^${UNFIT}]*$`

/** The one spelling under which an address is stored and looked up. */
export const normalizeEmail = (email: string): string => email.trim().toLowerCase()

const matches = (text: string, pattern: string) => new RegExp(pattern).test(text)

export const isEmail = (text: string): boolean =>
  text.length <= USER_LIMITS.email.maxLength && matches(text, EMAIL_PATTERN)
export const isUserName = (text: string): boolean => matches(text, linePattern(USER_LIMITS.name))
export const isPassword = (text: string): boolean => matches(normalizePassword(text), textPattern(USER_LIMITS.password))

/** The one spelling under which a password is hashed: keyboards differ in how they compose the same letters. */
export const normalizePassword = (text: string): string => text.normalize('NFC')

/** Why a password is too easy to guess for this address; null when it is not. */
export const weakness = (password: string, email: string): string | null => {
  const folded = normalizePassword(password).toLowerCase()
  if (COMMON_PASSWORDS.has(folded)) return 'This password is among the most common ones'
  const address = normalizeEmail(email)
  const isOwn = folded.trim() === address || folded.trim() === address.split('@')[0]
  return isOwn ? 'The password must not be your own address' : null
}

export interface UserDraft {
  readonly email: string
  readonly name: string
  readonly passwordHash: string
  readonly now: Instant
  readonly role?: Role
  readonly emailVerified?: boolean
}

/** A new active account; an ordinary user with an unproven address unless the draft says otherwise. */
export const newUser = ({
  email,
  name,
  passwordHash,
  now,
  role = 'user',
  emailVerified = false,
}: UserDraft): NewUser => ({
  email: normalizeEmail(email),
  name: name.trim(),
  role,
  isActive: true,
  emailVerified,
  passwordHash,
  createdAt: now,
  updatedAt: now,
})
