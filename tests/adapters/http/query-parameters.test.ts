import { describe, expect, test } from 'bun:test'
import { listAt } from '../../../src/adapters/http/docs/node.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { testClock } from '../../support/clock.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Operation, operations, resolved } from '../../support/openapi.ts'
import { startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'
import { upload } from '../../support/uploads.ts'

const clock = testClock()
const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox(), clock })
const root = await createFirstAdmin(skep)

describe('a query parameter', () => {
  test.each([
    '/users/',
    '/users/me',
    '/items/',
    '/files/',
    '/auth/sessions',
    '/admin/jobs',
    '//health',
    '//openapi.json',
  ])('that nobody knows is ignored (%s)', async (path) => {
    const { status } = await skep.call('GET', `${path}?utm_source=mail&a[]=1&__proto__=x&constructor`, {
      token: root.token,
    })
    expect(status).toBe(200)
  })

  test.each([
    '/users/?x=1&size=0',
    '/items/?x=1&page=a',
    '/files/?sort=x',
    '/auth/sessions?size=101',
    '/admin/jobs?state=x',
  ])('that is known is checked beside it (%s)', async (path) => {
    expect((await skep.call('GET', path, { token: root.token })).status).toBe(422)
  })

  const takesQuery = ({ node }: Operation) =>
    listAt(node, 'parameters')
      .map(resolved)
      .some((parameter) => parameter.in === 'query')

  /** What the path of an operation names. */
  const idIn = async (path: string): Promise<unknown> => {
    if (path.includes('{collection}')) {
      const json = { schema: { type: 'object', properties: {} } }
      return skep.call('PUT', '/collections/things', { token: root.token, json })
    }
    if (path.includes('/files/')) return (await upload(skep.call, root)).body.id
    if (path.includes('/backups/')) {
      const { id } = (await skep.call('POST', '/admin/backups', { token: root.token })).body
      const state = async () => (await skep.call('GET', `/admin/backups/${id}`, { token: root.token })).body.state
      await until(async () => (await state()) !== 'running')
      return id
    }
    if (path.includes('/items/{')) {
      return (await skep.call('POST', '/items/', { token: root.token, json: { title: 'One' } })).body.id
    }
    return (await skep.member()).id
  }

  test.each(operations.filter(takesQuery).map(({ id, method, path }) => [id, method, path] as const))(
    'that nobody knows is ignored (%s)',
    async (_, method, path) => {
      const url = `/${path.replace('{id}', String(await idIn(path))).replace('{collection}', 'things')}?b=1`
      const lines = path.endsWith('/import') ? { body: '', headers: { 'content-type': 'application/x-ndjson' } } : {}
      const { status } = await skep.call(method, url, { ...root, ...lines })
      expect(status).toBeWithin(200, 300)
    },
  )
})

describe('a time in a query', () => {
  const status = async (time: string) =>
    (await skep.call('GET', `/items/?created_after=${encodeURIComponent(time)}`, { token: root.token })).status

  test.each([
    '2016-12-31T23:59:60Z',
    '2016-12-31T15:59:60.5-08:00',
    '2026-01-01T00:59:60+01:00',
    '2026-01-01t00:00:00z',
    '2026-01-01T00:00:00.123456789123456789Z',
    '2024-02-29T00:00:00-00:00',
    '0001-01-01T00:00:00Z',
  ])('may be %s', async (time) => {
    expect(await status(time)).toBe(200)
  })

  test.each([
    '2026-01-01T24:00:00Z',
    '2026-01-01T12:30:60Z',
    '2016-12-31T23:59:60+01:00',
    '2026-01-01T23:60:00Z',
    '2026-01-01T23:59:61Z',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+00:60',
    '2026-01-01T00:00:00.Z',
    '2026-01-01T00:00:00',
    '2026-01-01 00:00:00Z',
    '2026-01-01',
  ])('is not %s', async (time) => {
    expect(await status(time)).toBe(422)
  })

  test('is compared with all its digits, with a leap second between two days', async () => {
    clock.advance(Date.UTC(2030, 5, 30) - clock.now())
    const ann = await skep.member()
    const found = async (query: string) =>
      (await skep.call<{ total: number }>('GET', `/items/?${query}`, { token: ann.token })).body.total
    await skep.call('POST', '/items/', { token: ann.token, json: { title: 'x' } })
    expect(await found('created_before=2030-06-30T00:00:00.0001Z')).toBe(1)
    expect(await found('created_before=2030-06-30T00:00:00.000Z')).toBe(0)
    expect(await found('created_after=2030-06-29T23:59:59.9999Z')).toBe(1)
    expect(await found('created_after=2030-06-30T00:00:00.0000Z')).toBe(0)
    expect(await found('created_after=2030-06-29T23:59:60Z')).toBe(1)
    expect(await found('created_before=2030-06-29T23:59:60.9Z')).toBe(0)
  })
})
