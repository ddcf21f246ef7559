import { describe, expect, test } from 'bun:test'
import { testClock } from '../../support/clock.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Member, startSkep } from '../../support/skep.ts'

interface ItemBody {
  readonly id: number
  readonly title: string
  readonly code?: string
}

const clock = testClock()
const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox(), clock })

const create = (by: Member, json: object, headers: Record<string, string> = {}) =>
  skep.call<ItemBody>('POST', '/items/', { token: by.token, json, headers })
const list = (by: Member) => skep.call<{ total: number | null }>('GET', '/items/', { token: by.token })

describe('an Idempotency-Key', () => {
  const key = (value: string) => ({ 'idempotency-key': value })

  test('returns the first response again, and creates no second item', async () => {
    const ann = await skep.member()
    const first = await create(ann, { title: 'Once' }, key('k1'))
    const again = await create(ann, { title: 'Once' }, key('k1'))
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true'])
    expect([again.body, again.headers.get('location'), again.headers.get('etag')]).toEqual([
      first.body,
      first.headers.get('location'),
      first.headers.get('etag'),
    ])
    expect((await list(ann)).body.total).toBe(1)
  })

  test('of concurrent duplicates creates one item', async () => {
    const ann = await skep.member()
    const race = await Promise.all(Array.from({ length: 10 }, () => create(ann, { title: 'Twin' }, key('race'))))
    for (const { status } of race) expect([201, 409]).toContain(status)
    expect(race.some(({ status }) => status === 201)).toBe(true)
    expect((await list(ann)).body.total).toBe(1)
  })

  test('with another body is 422, and does nothing', async () => {
    const ann = await skep.member()
    await create(ann, { title: 'One' }, key('k'))
    const { status, body } = await create(ann, { title: 'Two' }, key('k'))
    expect([status, body.code]).toEqual([422, 'idempotency_mismatch'])
    expect((await list(ann)).body.total).toBe(1)
  })

  test('belongs to one user and one route', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    await create(ann, { title: 'Same' }, key('shared'))
    expect((await create(bob, { title: 'Other' }, key('shared'))).status).toBe(201)
    const json = { operations: [{ op: 'create', title: 'In a batch' }] }
    const batch = await skep.call('POST', '/items/batch', { token: ann.token, json, headers: key('shared') })
    expect(batch.status).toBe(200)
  })

  test('is free again when its request failed', async () => {
    const ann = await skep.member()
    expect((await create(ann, { title: '' }, key('retry'))).status).toBe(422)
    expect((await create(ann, { title: 'Now right' }, key('retry'))).status).toBe(201)
  })

  test('expires after 24 hours', async () => {
    const ann = await skep.member()
    await create(ann, { title: 'Once' }, key('old'))
    clock.advance(24 * 3_600_000)
    const again = await create(ann, { title: 'Once' }, key('old'))
    expect(again.headers.get('idempotency-replayed')).toBeNull()
    expect((await list(ann)).body.total).toBe(2)
  })

  test.each(['two words', 'ü', 'x'.repeat(256)])('that is no visible ASCII (%p) is 422', async (value) => {
    const ann = await skep.member()
    const headers = key(Buffer.from(value).toString('latin1'))
    expect((await create(ann, { title: 'x' }, headers)).status).toBe(422)
  })
})
