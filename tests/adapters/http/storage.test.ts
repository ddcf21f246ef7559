import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { batch, create, type Item, LARGE } from '../../support/item-calls.ts'
import { type Member, startSkep, type TestSkep } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'
import { until } from '../../support/until.ts'
import { MULTIPART, streamedUpload, upload } from '../../support/uploads.ts'

setDefaultTimeout(30_000)

const fill = async (skep: TestSkep, member: Member) => {
  for (;;) {
    const answer = await create(skep, member, 'x'.repeat(9_000))
    if (answer.status !== 201) return answer
  }
}

const total = async (skep: TestSkep, { token }: Member) =>
  (await skep.call<{ total: number }>('GET', '/items/?size=1', { token })).body.total

describe('the quota', () => {
  test('refuses writes beyond it with 507, and deleting frees bytes', async () => {
    const skep = await startSkep({ QUOTA: '200kb' })
    const ann = await skep.member()
    const { body: first } = await create(skep, ann, 'x'.repeat(9_000))
    const refused = await fill(skep, ann)
    expect([refused.status, refused.body.code]).toEqual([507, 'quota_exceeded'])
    const count = await total(skep, ann)
    const operations = Array.from({ length: 20 }, () => ({
      op: 'create',
      title: 'Elm',
      description: 'x'.repeat(9_000),
    }))
    expect((await batch(skep, ann, operations)).body.code).toBe('quota_exceeded')
    expect(await total(skep, ann)).toBe(count)
    expect((await skep.call('DELETE', `/items/${first.id}`, { token: ann.token })).status).toBe(204)
    const { body } = await skep.call<{ items: Item[] }>('GET', '/items/', { token: ann.token })
    for (const { id } of body.items.slice(0, 5)) await skep.call('DELETE', `/items/${id}`, { token: ann.token })
    expect((await create(skep, ann, 'x'.repeat(9_000))).status).toBe(201)
  })

  test('of one user does not affect others', async () => {
    const skep = await startSkep({ QUOTA: '100kb' })
    await fill(skep, await skep.member())
    expect((await create(skep, await skep.member())).status).toBe(201)
  })

  test('counts files, and an upload that does not fit leaves nothing behind', async () => {
    const skep = await startSkep({ QUOTA: '1mb', UPLOAD_TYPES: '*/*' })
    const ann = await skep.member()
    const kept = await upload(skep.call, { token: ann.token, content: Buffer.alloc(600_000, 'x') })
    const announced = await upload(skep.call, { token: ann.token, content: Buffer.alloc(600_000, 'y') })
    const streamed = await skep.call('POST', '/files/', {
      token: ann.token,
      body: streamedUpload(600_000, Buffer.alloc(10_000, 'z')),
      headers: { 'content-type': MULTIPART },
    })
    expect([kept.status, announced.status, streamed.status]).toEqual([201, 507, 507])
    expect([announced.body.code, streamed.body.code]).toEqual(['quota_exceeded', 'quota_exceeded'])
    expect(await skep.blobs()).toHaveLength(1)
    await skep.call('DELETE', `/files/${kept.body.id}`, { token: ann.token })
    expect((await upload(skep.call, { token: ann.token, content: Buffer.alloc(600_000, 'y') })).status).toBe(201)
  })

  test('of racing uploads only those that fit are kept', async () => {
    const skep = await startSkep({ QUOTA: '1mb', UPLOAD_TYPES: '*/*' })
    const { token } = await skep.member()
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => upload(skep.call, { token, content: Buffer.alloc(300_000, 'x') })),
    )
    expect(answers.filter(({ status }) => status === 201).length).toBeWithin(1, 4)
    expect(await skep.blobs()).toHaveLength(answers.filter(({ status }) => status === 201).length)
  })

  test('is the owner’s, whoever writes, and admins can always delete', async () => {
    const skep = await startSkep({ QUOTA: '100kb' })
    const admin = await createFirstAdmin(skep)
    const ann = await skep.member()
    const { body } = await create(skep, ann)
    await fill(skep, ann)
    const json = { description: 'x'.repeat(10_000) }
    const grown = await skep.call('PATCH', `/items/${body.id}`, { token: admin.token, json })
    expect(grown.body.code).toBe('quota_exceeded')
    expect((await skep.call('DELETE', `/items/${body.id}`, { token: admin.token })).status).toBe(204)
    expect((await create(skep, admin)).status).toBe(201)
  })
})

describe('a batch', async () => {
  const skep = await startSkep()

  test('reports an item that it changes often once, with its last state, live and in the replay', async () => {
    const ann = await skep.member()
    const { body: item } = await create(skep, ann)
    const { body: other } = await create(skep, ann)
    await using live = await openSocket(skep.url, { token: ann.token })
    const { cursor = 0 } = await live.subscribe('items')
    const updates = Array.from({ length: 30 }, (_, n) => ({ op: 'update', id: item.id, title: `${n}` }))
    const { body } = await batch(skep, ann, [
      ...updates,
      { op: 'update', id: other.id, title: 'b' },
      { op: 'delete', id: other.id },
    ])
    expect(body.results.slice(0, 30).map((result) => result?.version)).toEqual(updates.map((_, n) => n + 2))
    await live.until(() => live.events().length === 2)
    expect(live.events()).toMatchObject([
      { event: 'item.updated', data: { id: item.id, title: '29', version: 31 } },
      { event: 'item.deleted', data: { id: other.id } },
    ])
    await using replay = await openSocket(skep.url, { token: ann.token })
    await replay.subscribe('items', cursor)
    await replay.until(() => replay.events().length === 2)
    expect(replay.events()).toEqual(live.events())
  })

  test('with a key stores a repetitive response compressed, and returns it unchanged', async () => {
    const small = await startSkep({ QUOTA: '700kb' })
    const ann = await small.member()
    const { body: item } = await create(small, ann, LARGE)
    const updates = Array.from({ length: 25 }, (_, n) => ({ op: 'update', id: item.id, title: `${n}` }))
    const first = await batch(small, ann, updates, 'k')
    const again = await batch(small, ann, updates, 'k')
    expect([first.status, again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 200, 'true'])
    expect(again.body).toEqual(first.body)
  })

  test('with too large a response is refused with the index, and changes nothing', async () => {
    const ann = await skep.member()
    const { body: item } = await create(skep, ann, LARGE)
    const updates = Array.from({ length: 100 }, (_, n) => ({ op: 'update', id: item.id, title: `${n}` }))
    const { status, body } = await batch(skep, ann, updates)
    expect([status, body.code, body.index]).toEqual([422, 'batch_too_large', expect.any(Number)])
    const after = await skep.call<Item>('GET', `/items/${item.id}`, { token: ann.token })
    expect([after.body.version, after.body.title]).toEqual([1, 'Oak'])
  })
})

describe('a change that changes nothing', async () => {
  const skep = await startSkep()

  test('leaves version and time of an item unchanged, and has no event', async () => {
    const ann = await skep.member()
    const data = { a: [{ x: 1, y: 2 }], b: null }
    const oak = { title: 'Oak', data }
    const { body: item, headers: created } = await skep.call<Item>('POST', '/items/', { token: ann.token, json: oak })
    await using socket = await openSocket(skep.url, { token: ann.token })
    await socket.subscribe('items')
    for (const json of [{}, { title: 'Oak' }, { data: { a: [{ y: 2, x: 1 }] } }, { data: { c: null } }]) {
      const { body, headers } = await skep.call<Item>('PATCH', `/items/${item.id}`, { token: ann.token, json })
      expect([body.version, body.updated_at, headers.get('etag')]).toEqual([1, item.updated_at, created.get('etag')])
    }
    await batch(skep, ann, [{ op: 'update', id: item.id, title: 'Oak' }])
    const json = { data: { a: [{ x: 1 }] } }
    expect((await skep.call<Item>('PATCH', `/items/${item.id}`, { token: ann.token, json })).body.version).toBe(2)
    await socket.until(() => socket.events().length > 0)
    expect(socket.events()).toMatchObject([{ data: { version: 2 } }])
  })

  test('leaves the time of a user unchanged', async () => {
    const { token, email } = await skep.member()
    const before = (await skep.call('GET', '/users/me', { token })).body.updated_at
    for (const json of [{}, { name: ' Ann ' }, { email }]) {
      expect((await skep.call('PATCH', '/users/me', { token, json })).body.updated_at).toBe(before)
    }
  })
})

describe('deleting an account', () => {
  test('removes its items, files, log entries and idempotency records, and admins receive the events', async () => {
    const skep = await startSkep({ UPLOAD_TYPES: '*/*' })
    const admin = await createFirstAdmin(skep)
    const ann = await skep.member()
    const marked = 'wholly-private'
    const { body: gone } = await create(skep, ann, marked, marked)
    await skep.call('DELETE', `/items/${gone.id}`, { token: ann.token })
    const { body } = await batch(skep, ann, [{ op: 'create', title: marked, data: { marked } }], 'k')
    await upload(skep.call, { token: ann.token, content: marked })
    await using socket = await openSocket(skep.url, { token: admin.token })
    await socket.subscribe('items/all', 0)
    await skep.call('DELETE', `/users/${ann.id}`, { token: admin.token })
    const id = body.results[0]?.id
    await socket.sees({ event: 'item.deleted' })
    await socket.until(() => socket.events().some(({ event, data }) => event === 'item.deleted' && data?.id === id))
    const jobs = () => skep.call<{ items: { kind: string }[] }>('GET', '/admin/jobs?state=done', { token: admin.token })
    await until(async () => (await jobs()).body.items.some(({ kind }) => kind === 'forget-user'))
    await using replay = await openSocket(skep.url, { token: admin.token })
    await replay.subscribe('items/all', 0)
    await replay.until(() => replay.events().length === 2)
    expect(replay.events()).toMatchObject([
      { event: 'item.deleted', data: { id: gone.id, title: '' } },
      { event: 'item.deleted', data: { id, title: '' } },
    ])
    expect(replay.texts.join()).not.toContain(marked)
  })
})

describe('when only the reserve is left', () => {
  test('users’ writes are refused; admins, sign-in, sign-out and deleting still work', async () => {
    let reached = false
    const skep = await startSkep({}, { reserve: { isReached: () => reached } })
    const admin = await createFirstAdmin(skep)
    const ann = await skep.member()
    const { body: item } = await create(skep, ann)
    const { body: file } = await upload(skep.call, { token: ann.token })
    reached = true
    const { token } = ann
    const refused = await Promise.all([
      create(skep, ann),
      skep.call('PATCH', `/items/${item.id}`, { token, json: { title: 'x' } }),
      batch(skep, ann, [{ op: 'create', title: 'x' }]),
      upload(skep.call, { token }),
      skep.call('POST', `/files/${file.id}/links`, { token, json: { expires_in: 60 } }),
      skep.call('POST', '/users/', { json: { email: 'new@example.com', name: 'N', password: 'correct horse' } }),
    ])
    expect(refused.map(({ status, body }) => [status, body.code])).toEqual(refused.map(() => [507, 'storage_reserved']))
    const form = { username: ann.email, password: ann.password }
    const { body: pair, status } = await skep.call<{ refresh_token: string }>('POST', '/auth/token', { form })
    const refresh = { grant_type: 'refresh_token', refresh_token: pair.refresh_token }
    const went = await Promise.all([
      skep.call('POST', '/auth/token', { form: refresh }),
      skep.call('DELETE', `/items/${item.id}`, { token }),
      skep.call('DELETE', `/files/${file.id}`, { token }),
      create(skep, admin),
      skep.call('GET', '/users/me', { token }),
    ])
    expect([status, ...went.map((answer) => answer.status)]).toEqual([200, 200, 204, 204, 201, 200])
    const json = { is_active: false }
    expect((await skep.call('PATCH', `/users/${ann.id}`, { token: admin.token, json })).status).toBe(200)
    expect((await skep.call('DELETE', `/users/${ann.id}`, { token: admin.token })).status).toBe(204)
    reached = false
    expect((await skep.member()).id).toBeGreaterThan(0)
  })
})
