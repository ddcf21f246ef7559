import { describe, expect, test } from 'bun:test'
import { jwt } from '@elysiajs/jwt'
import { createAccessTokens } from '../../../src/adapters/jwt/access-tokens.ts'
import { testClock } from '../../support/clock.ts'

const secret = 's'.repeat(32)
const clock = testClock()
const tokens = createAccessTokens(secret, clock)
const claims = { userId: 7, sessionId: 9, sessionCreatedAt: clock.now() - 1_234, expiresAt: clock.now() + 60_000 }

/** Signed with our secret, but not by us. */
const forged = (changes: Record<string, unknown>, key = secret) =>
  jwt({ name: 'jwt', secret: key }).decorator.jwt.sign({
    iss: 'skep',
    aud: 'skep-api',
    sub: '7',
    sid: '9',
    auth_time: claims.sessionCreatedAt / 1_000,
    jti: 'x',
    exp: Math.floor(claims.expiresAt / 1_000),
    ...changes,
  })

const unsigned = async () => {
  const [, payload] = (await tokens.issue(claims)).split('.')
  return `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${payload}.`
}

test('a token contains its user, session and expiry', async () => {
  expect(await tokens.verify(await tokens.issue(claims))).toEqual(claims)
})

test('carries iss, aud, sub, sid, auth_time, iat, exp and jti, and a new jti each time', async () => {
  const payloadOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  const [one, two] = [payloadOf(await tokens.issue(claims)), payloadOf(await tokens.issue(claims))]
  expect(Object.keys(one).sort()).toEqual(['aud', 'auth_time', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub'])
  expect(one.jti).not.toBe(two.jti)
})

test('the forgery helper makes a token that passes unless it is changed', async () => {
  expect(await tokens.verify(await forged({}))).toEqual(claims)
})

test.each<[string, () => Promise<string>]>([
  ['garbage', async () => 'not.a.token'],
  ['an unsigned token', unsigned],
  ['another secret', () => forged({}, 'x'.repeat(32))],
  ['another issuer', () => forged({ iss: 'other' })],
  ['another audience', () => forged({ aud: 'other' })],
  ['no expiry', () => forged({ exp: undefined })],
  ['no session', () => forged({ sid: undefined })],
  ['a subject that is no id', () => forged({ sub: '7; DROP TABLE users' })],
  ['an expired token', () => forged({ exp: Math.floor(clock.now() / 1_000) - 1 })],
])('refuses %s', async (_, make) => {
  expect(await tokens.verify(await make())).toBeNull()
})

/** Other texts that a lenient decoder takes for the same token. */
const respellings = (token: string): string[] => {
  const last = token.at(-1) ?? ''
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const [header, payload, signature = ''] = token.split('.')
  return [
    `${token}=`,
    `${token}==`,
    ` ${token}`,
    `${token} `,
    `${token}\n`,
    `${header}.${payload}.${signature.slice(0, 9)} ${signature.slice(9)}`,
    `${header}.${payload}.${signature.slice(0, 9)}\n${signature.slice(9)}`,
    `${header}=.${payload}.${signature}`,
    `${token}.`,
    token.replaceAll('-', '+').replaceAll('_', '/'),
    ...[1, 2, 3].map((bits) => token.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ bits]),
  ].filter((spelling) => spelling !== token)
}

test('a token has one accepted spelling', async () => {
  for (let n = 0; n < 20; n++) {
    const token = await tokens.issue(claims)
    for (const spelling of respellings(token))
      expect([spelling, await tokens.verify(spelling)]).toEqual([spelling, null])
  }
})

test('a token of a megabyte is refused before it is parsed', async () => {
  expect(await tokens.verify(`${'a'.repeat(500_000)}.${'a'.repeat(500_000)}.aaaa`)).toBeNull()
})

describe('a key that was replaced', () => {
  const next = 'n'.repeat(32)
  const headerOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
  const rotated = (on = testClock()) => createAccessTokens(next, on, { secret, verifiesUntil: on.now() + 30_000 })

  test('is identified by kid in each token', async () => {
    const [one, two] = [headerOf(await tokens.issue(claims)), headerOf(await rotated().issue(claims))]
    expect([one.alg, typeof one.kid, one.kid === two.kid]).toEqual(['HS256', 'string', false])
    expect(headerOf(await tokens.issue(claims)).kid).toBe(one.kid)
  })

  test('verifies until its tokens have expired, and nothing for longer', async () => {
    const later = testClock()
    const both = rotated(later)
    const old = await tokens.issue(claims)
    expect(await both.verify(old)).toEqual({ ...claims, expiresAt: later.now() + 30_000 })
    expect(await both.verify(await both.issue(claims))).toEqual(claims)
    later.advance(30_000)
    expect(await both.verify(old)).toBeNull()
  })

  test('does not verify tokens of the other key, nor the reverse', async () => {
    const both = rotated()
    const [header] = (await both.issue(claims)).split('.')
    const [, payload, signature] = (await tokens.issue(claims)).split('.')
    expect(await both.verify(`${header}.${payload}.${signature}`)).toBeNull()
    expect(await tokens.verify(await both.issue(claims))).toBeNull()
  })
})
