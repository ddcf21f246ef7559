import { expect, test } from 'bun:test'
import { jwt } from '@elysiajs/jwt'
import { createAccessTokens } from '../../../src/adapters/jwt/access-tokens.ts'
import { testClock } from '../../support/clock.ts'

const secret = 's'.repeat(32)
const clock = testClock()
const tokens = createAccessTokens(secret, clock)
const claims = { userId: 7, sessionId: 9, expiresAt: clock.now() + 60_000 }

/** Signed with our secret, but not by us. */
const forged = (changes: Record<string, unknown>, key = secret) =>
  jwt({ name: 'jwt', secret: key }).decorator.jwt.sign({
    iss: 'skep',
    aud: 'skep-api',
    sub: '7',
    sid: '9',
    jti: 'x',
    exp: Math.floor(claims.expiresAt / 1_000),
    ...changes,
  })

const unsigned = async () => {
  const [, payload] = (await tokens.issue(claims)).split('.')
  return `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${payload}.`
}

test('a token says who it is for, which session, and when it ends', async () => {
  expect(await tokens.verify(await tokens.issue(claims))).toEqual(claims)
})

test('carries iss, aud, sub, sid, iat, exp and jti, and a new jti each time', async () => {
  const payloadOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  const [one, two] = [payloadOf(await tokens.issue(claims)), payloadOf(await tokens.issue(claims))]
  expect(Object.keys(one).sort()).toEqual(['aud', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub'])
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
