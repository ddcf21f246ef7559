import { expect, test } from 'bun:test'
import { isEmail, isUserName, newUser, normalizeEmail } from '../../src/domain/user.ts'

test.each(['ann@example.com', ' Ann@Example.COM ', "o'neil+tag@mail.example", 'a@localhost'])(
  '%p is an address',
  (text) => {
    expect(isEmail(text)).toBe(true)
  },
)

test.each([
  '',
  'ann',
  '@example.com',
  'ann@',
  'a b@example.com',
  'ann@exa mple.com',
  'ann@-example.com',
  'ann@example..com',
  'ann@example.com\r\nBcc: bob@example.com',
  'Ann <ann@example.com>',
  `${'a'.repeat(65)}@example.com`,
  `a@${'b'.repeat(260)}`,
])('%p is no address', (text) => {
  expect(isEmail(text)).toBe(false)
})

test('an address has one spelling', () => {
  expect(normalizeEmail('  Ann@Example.COM ')).toBe('ann@example.com')
})

test('a name is visible, of one line and not too long', () => {
  expect(['Ann', '안나', 'Ann of the "Hill"'].map(isUserName)).toEqual([true, true, true])
  expect(isUserName('🐝'.repeat(200))).toBe(true)
  expect(['', '   ', 'a\nb', 'a\0', 'x'.repeat(201)].map(isUserName)).toEqual([false, false, false, false, false])
})

test('a new account is active and unverified, and not an admin', () => {
  const user = newUser({ email: ' A@B.c', name: ' Ann ', passwordHash: 'h', now: 5 })
  expect(user).toEqual({
    email: 'a@b.c',
    name: 'Ann',
    role: 'user',
    isActive: true,
    emailVerified: false,
    passwordHash: 'h',
    createdAt: 5,
    updatedAt: 5,
  })
})
