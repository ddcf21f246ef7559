import { expect, test } from 'bun:test'
import { nodeAt } from '../../../src/adapters/http/docs/node.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { operations } from '../../support/openapi.ts'
import { startSkep } from '../../support/skep.ts'
import { openStoreOf } from '../../support/stack.ts'

const skep = await startSkep({}, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)

let people = 0
const person = () => {
  people += 1
  return { email: `person-${people}@example.com`, name: 'Ann', password: 'correct horse battery' }
}

const register = (json: unknown, key: string, token?: string) =>
  skep.call('POST', '/users/', { ...(token === undefined ? {} : { token }), json, headers: { 'idempotency-key': key } })

test('a repeated registration by an admin gets the same response, and creates one account', async () => {
  const json = person()
  const first = await register(json, 'once', root.token)
  const again = await register({ password: json.password, name: json.name, email: json.email }, 'once', root.token)
  expect([first.status, again.status]).toEqual([201, 201])
  expect(again.body).toEqual(first.body)
  expect(first.headers.has('idempotency-replayed')).toBe(false)
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(again.headers.get('location')).toBe(`/api/v1/users/${first.body.id}`)
  expect(again.headers.get('cache-control')).toBe('no-store')
})

test.each(['email', 'name', 'password'] as const)('with another %s it is refused', async (member) => {
  const json = person()
  const key = `other-${member}`
  expect((await register(json, key, root.token)).status).toBe(201)
  const other = { ...json, [member]: `other-${json[member]}` }
  const refused = await register(other, key, root.token)
  expect([refused.status, refused.body.code]).toEqual([422, 'idempotency_mismatch'])
})

test('of two concurrent registrations with one key one makes the account, and the other gets 409 or the same answer', async () => {
  const json = person()
  const twins = await Promise.all([register(json, 'twins', root.token), register(json, 'twins', root.token)])
  const statuses = twins.map(({ status }) => status).sort()
  expect([
    [201, 201],
    [201, 409],
  ]).toContainEqual(statuses)
  expect((await register(json, 'twins', root.token)).headers.get('idempotency-replayed')).toBe('true')
})

test('a refusal leaves the key free', async () => {
  const { email } = await skep.member()
  const json = person()
  expect((await register({ ...json, email }, 'free', root.token)).body.code).toBe('email_taken')
  expect((await register(json, 'free', root.token)).status).toBe(201)
})

test('a signed-in user may register another account once, and gets that response again', async () => {
  const [ann, json] = [await skep.member(), person()]
  const first = await register(json, 'once', ann.token)
  const again = await register(json, 'once', ann.token)
  expect([again.status, again.body]).toEqual([201, first.body])
})

test('a demoted admin does not get the created account again', async () => {
  const [eve, json] = [await skep.member(), person()]
  const change = (role: string) => skep.call('PATCH', `/users/${eve.id}`, { token: root.token, json: { role } })
  await change('admin')
  expect((await register(json, 'once', eve.token)).status).toBe(201)
  await change('user')
  expect((await register(json, 'once', eve.token)).status).toBe(404)
})

test('the fingerprint of a key does not allow guessing the password', async () => {
  const { email, name, password } = person()
  await register({ email, name, password }, 'guessed', root.token)
  const store = await openStoreOf(skep.dataDir)
  const record = await store.write((tx) => tx.idempotency.find(root.id, 'POST /api/v1/users', 'guessed'))
  await store.close()
  const plain = new Bun.CryptoHasher('sha256').update(JSON.stringify({ email, name, password })).digest('hex')
  expect(record?.fingerprint.length).toBe(32)
  expect(record?.fingerprint.toHex()).not.toBe(plain)
  expect(record?.response.body).not.toContain(password)
})

test('without a token the key is ignored', async () => {
  const json = person()
  expect((await register(json, 'anyone')).status).toBe(201)
  expect((await register(json, 'anyone')).body.code).toBe('email_taken')
  expect((await register(person(), 'anyone')).status).toBe(201)
})

test('a malformed key is refused, whoever sends it', async () => {
  for (const token of [root.token, undefined]) {
    const refused = await register(person(), 'two words', token)
    expect([refused.status, refused.body.code]).toEqual([422, 'validation_failed'])
  }
})

test('every operation that creates supports the key', () => {
  const creating = operations
    .filter(({ node, method }) => method === 'POST' && '201' in nodeAt(node, 'responses'))
    // A key belongs to a user, and before the first admin there is none. The link works once.
    .filter(({ id }) => id !== 'createFirstAdmin')
  expect(creating.map(({ id }) => id)).toEqual(
    expect.arrayContaining(['createFileLink', 'createItem', 'registerUser', 'uploadFile']),
  )
  for (const { node } of creating) expect(JSON.stringify(node.parameters)).toContain('"Idempotency-Key"')
})
