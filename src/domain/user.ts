import { COMMON_PASSWORDS } from './common-passwords.ts'
import { isLine, isText } from './text.ts'

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
const EMAIL = new RegExp(`^\\s*[A-Za-z0-9.!#$%&'*+/=?^_\`{|}~-]{1,64}@${LABEL}(?:\\.${LABEL})*\\s*$`)

/** Begins an encoded word (RFC 2047), which mail programs would decode and show as different text. */
const ENCODED_WORD = '=?'

/** The one spelling under which an address is stored and looked up. */
export const normalizeEmail = (email: string): string => email.trim().toLowerCase()

export const isEmail = (text: string): boolean =>
  text.length <= USER_LIMITS.email.maxLength && EMAIL.test(text) && !text.includes(ENCODED_WORD)
export const isUserName = (text: string): boolean => isLine(text, USER_LIMITS.name)
export const isPassword = (text: string): boolean => isText(normalizePassword(text), USER_LIMITS.password)

/** The one spelling under which a password is hashed, because keyboards compose the same letters differently. */
export const normalizePassword = (text: string): string => text.normalize('NFC')

/** The reason why a password is too easy to guess for this address, or null. */
export const passwordWeakness = (password: string, email: string): string | null => {
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

/** A new active account; an ordinary user with an unverified address unless the draft says otherwise. */
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
