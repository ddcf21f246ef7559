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

test('knows the password from others', async () => {
  const { hash, verify } = createPasswordHasher(quick)
  const made = await hash('correct horse')
  expect(await verify('correct horse', made)).toBe(true)
  expect(await verify('correct horsf', made)).toBe(false)
  expect(await verify('', made)).toBe(false)
})

test('does the same work for nobody, and answers false', async () => {
  expect(await createPasswordHasher(quick).verify('correct horse', null)).toBe(false)
})

test('refuses more than may wait, and serves those that do', async () => {
  const { hash } = createPasswordHasher({ ...quick, concurrency: 1, waiting: 2 })
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => hash('correct horse')))
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'])
  expect(outcomes[4]).toMatchObject({ reason: { code: 'overloaded', retryAfter: 5 } })
  expect(await hash('correct horse')).toBeString()
})

test('who has waited too long is refused, and the next in time goes on', async () => {
  const passwords = createPasswordHasher({ ...quick, concurrency: 1, patience: -1 })
  const all = await Promise.allSettled([passwords.hash('a'), passwords.hash('b'), passwords.hash('c')])
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect(all[1]).toMatchObject({ reason: { code: 'overloaded', retryAfter: 5 } })
  expect(await passwords.hash('d')).toStartWith('$argon2id$')
})
