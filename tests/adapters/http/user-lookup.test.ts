import { expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { startSkep, type TestSkep } from '../../support/skep.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)

const lookUp = (on: TestSkep, token: string | undefined, email: unknown) =>
  on.call('POST', '/users/lookup', { token, json: { email } })

test('finds a user by their exact, verified address, and returns only id and name', async () => {
  const { token } = await skep.member()
  for (const email of ['root@example.com', ' ROOT@example.com ']) {
    const { status, body } = await lookUp(skep, token, email)
    expect([status, body]).toEqual([200, { id: root.id, name: 'Admin' }])
  }
})

test('does not find an address that is not verified, unknown, or only part of one', async () => {
  const { token, email } = await skep.member()
  for (const other of [email, 'nobody@example.com', 'oot@example.com']) {
    expect((await lookUp(skep, token, other)).status).toBe(404)
  }
})

test('needs a token, and an address', async () => {
  const { token } = await skep.member()
  expect((await lookUp(skep, undefined, 'root@example.com')).status).toBe(401)
  expect((await lookUp(skep, token, 'root')).status).toBe(422)
  const { status, headers } = await skep.call('GET', '/users/lookup', { token })
  expect([status, headers.get('allow')]).toEqual([405, 'OPTIONS, POST'])
})

test('answers ten times a minute, whatever the other limits are', async () => {
  const own = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
  const { token } = await own.member()
  const statuses: number[] = []
  for (let n = 0; n < 11; n++) statuses.push((await lookUp(own, token, 'nobody@example.com')).status)
  expect(statuses).toEqual([...Array<number>(10).fill(404), 429])
})

test('finds nobody with USER_LOOKUP=off', async () => {
  const closed = await startSkep({ USER_LOOKUP: 'off' }, { mailer: createMailbox() })
  const { token } = await createFirstAdmin(closed)
  expect((await lookUp(closed, token, 'root@example.com')).status).toBe(404)
})
