import { expect, test } from 'bun:test'
import { createPasswordHasher } from '../../../src/adapters/bun/password-hasher.ts'

const quick = { memoryCost: 8, timeCost: 1 }

test('makes Argon2id hashes that carry their parameters', async () => {
  expect(await createPasswordHasher().hash('correct horse')).toStartWith('$argon2id$v=19$m=19456,t=2,p=1$')
})

test('salts: the same password gives two hashes', async () => {
  const { hash } = createPasswordHasher(quick)
  expect(await hash('correct horse')).not.toBe(await hash('correct horse'))
})

test('distinguishes the password from others', async () => {
  const { hash, verify } = createPasswordHasher(quick)
  const made = await hash('correct horse')
  expect(await verify('correct horse', made)).toBe(true)
  expect(await verify('correct horsf', made)).toBe(false)
  expect(await verify('', made)).toBe(false)
})

test('does the same work without an account, and returns false', async () => {
  expect(await createPasswordHasher(quick).verify('correct horse', null)).toBe(false)
})

test('refuses callers above the limit, and serves those waiting', async () => {
  const { hash } = createPasswordHasher({ ...quick, concurrency: 1, waiting: 2 })
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => hash('correct horse')))
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'])
  expect(results[4]).toMatchObject({ reason: { code: 'overloaded', retryAfterSeconds: 5 } })
  expect(await hash('correct horse')).toBeString()
})

test('a caller that has waited too long is refused, and the next one runs', async () => {
  const passwords = createPasswordHasher({ ...quick, concurrency: 1, turnTimeoutMs: -1 })
  const all = await Promise.allSettled([passwords.hash('a'), passwords.hash('b'), passwords.hash('c')])
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect(all[1]).toMatchObject({ reason: { code: 'overloaded', retryAfterSeconds: 5 } })
  expect(await passwords.hash('d')).toStartWith('$argon2id$')
})

test('a hash from before passwords were normalized still verifies', async () => {
  const { hash, verify } = createPasswordHasher(quick)
  const typed = 'pässwörter'.normalize('NFD')
  const old = await Bun.password.hash(typed, { algorithm: 'argon2id', ...quick })
  expect([await verify(typed, old), await verify(typed.normalize('NFC'), old)]).toEqual([true, true])
  expect(await verify(typed, await hash(typed.normalize('NFC')))).toBe(true)
})

test('networks take turns, even if very many callers of one are waiting', async () => {
  const { hash } = createPasswordHasher({ ...quick, concurrency: 1, waiting: 30 })
  const served: string[] = []
  const from = async (address: string, name: string) => {
    await hash('correct horse', address)
    served.push(name)
  }
  // All in one /48, each in a /64 of its own.
  const flood = Array.from({ length: 20 }, (_, n) => from(`2001:db8:0:${n.toString(16)}::1`, 'flood'))
  await Promise.all([from('192.0.2.1', 'ann'), from('2001:db8:1::1', 'bob')])
  expect(served.filter((name) => name === 'flood').length).toBeLessThan(5)
  await Promise.allSettled(flood)
})

test('a network that fills the queue is displaced by others, and they by nobody', async () => {
  const { hash } = createPasswordHasher({ ...quick, concurrency: 1, waiting: 4 })
  const flood = Array.from({ length: 5 }, () => hash('correct horse', '192.0.2.1'))
  const others = ['192.0.2.2', '192.0.2.3', '192.0.2.2'].map((address) => hash('correct horse', address))
  const settled = await Promise.allSettled([...flood, ...others])
  expect(settled.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
    'fulfilled',
    'rejected',
  ])
})
