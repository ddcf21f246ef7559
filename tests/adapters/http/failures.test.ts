import { afterAll, describe, expect, test } from 'bun:test'
import { quickPasswords, startSkep } from '../../support/skep.ts'

const secretDetail = 'SELECT * FROM users at /srv/skep/users.ts'

const broken = {
  ...quickPasswords(),
  hash(): Promise<string> {
    throw new TypeError(secretDetail)
  },
}

const { NODE_ENV: before = 'test' } = process.env
afterAll(() => {
  process.env.NODE_ENV = before
})

describe.each(['production', 'development'])('an unexpected failure in %s', async (mode) => {
  process.env.NODE_ENV = mode
  const skep = await startSkep({}, { passwords: broken })
  const json = { email: 'ann@example.com', name: 'Ann', password: 'correct horse' }

  test('is 500 internal_error and reveals nothing of its cause', async () => {
    const { status, headers, body } = await skep.call('POST', '/users/', { json })
    expect([status, headers.get('content-type')]).toEqual([500, 'application/problem+json'])
    expect(body).toMatchObject({ code: 'internal_error', title: 'Internal Server Error' })
    expect(JSON.stringify(body)).not.toMatch(/SELECT|users\.ts|TypeError|correct horse/)
  })

  test('is logged in full with its request id', async () => {
    await skep.call('POST', '/users/', { json, headers: { 'x-request-id': 'fails-1' } })
    const entry = skep.log.entries.find(({ level, fields }) => level === 'error' && fields.request_id === 'fails-1')
    expect(entry?.fields.error).toMatchObject({ message: secretDetail })
  })
})

test('an error never echoes the request', async () => {
  const skep = await startSkep()
  const json = { email: 'echo-email', name: 'echo-name\n', password: 'echo' }
  const { status, body } = await skep.call('POST', '/users/', { json })
  expect(status).toBe(422)
  expect(JSON.stringify(body)).not.toContain('echo')
})
