import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { before, openSocket, positionOf } from '../../support/socket.ts'

const skep = await startSkep()
const admin = await createFirstAdmin(skep)

const connected = async (token?: string) => openSocket(skep.url, { token: token ?? (await skep.member()).token })
const create = async ({ token }: Pick<Member, 'token'>, title = 'a title') =>
  (await skep.call<{ id: number }>('POST', '/items/', { token, json: { title } })).body.id
const patch = ({ token }: Pick<Member, 'token'>, id: number, title: string) =>
  skep.call('PATCH', `/items/${id}`, { token, json: { title } })
const remove = ({ token }: Pick<Member, 'token'>, id: number) => skep.call('DELETE', `/items/${id}`, { token })

describe('subscribing', () => {
  test('items: events of one’s own items, as in REST', async () => {
    const ann = await skep.member()
    const bob = await skep.member()
    await using socket = await connected(ann.token)
    const { cursor, gap } = await socket.subscribe('items')
    expect(gap).toBe(false)
    await create(bob)
    const id = await create(ann, 'first')
    await patch(ann, id, 'second')
    const item = (await skep.call('GET', `/items/${id}`, { token: ann.token })).body
    await remove(ann, id)
    await socket.sees({ event: 'item.deleted' })
    const [created, updated, deleted, ...more] = socket.events()
    expect(more).toEqual([])
    expect(created).toMatchObject({ event: 'item.created', data: { id, title: 'first', version: 1 } })
    expect(updated).toEqual({
      type: 'event',
      topic: 'items',
      cursor: expect.stringMatching(/^[0-9a-z]+\.\d+$/),
      event: 'item.updated',
      data: item as never,
    })
    expect(deleted).toMatchObject({ event: 'item.deleted', data: { id, title: 'second', version: 2 } })
    const cursors = [cursor, created?.cursor, updated?.cursor, deleted?.cursor].map(positionOf)
    expect(cursors).toEqual([...cursors].sort((a, b) => a - b))
  })

  test('items/{id}: events of one visible item', async () => {
    const ann = await skep.member()
    const bob = await skep.member()
    const id = await create(ann)
    await using socket = await connected(ann.token)
    await using admins = await connected(admin.token)
    await using others = await connected(bob.token)
    await socket.subscribe(`items/${id}`)
    await admins.subscribe(`items/${id}`)
    others.send({ type: 'subscribe', topic: `items/${id}` })
    await others.sees({ type: 'error', code: 'not_found' })
    await create(ann)
    await patch(ann, id, 'new')
    const wanted = { event: 'item.updated', topic: `items/${id}` }
    await Promise.all([socket.sees(wanted), admins.sees(wanted)])
    expect([socket.events().length, admins.events().length, others.events().length]).toEqual([1, 1, 0])
  })

  test.each(['missing', 'foreign'])('items/{id}: an item that is %s is reported as over HTTP', async (which) => {
    const ann = await skep.member()
    const id = which === 'foreign' ? await create(await skep.member()) : 9_999_999
    await using socket = await connected(ann.token)
    socket.send({ type: 'subscribe', topic: `items/${id}` })
    const { body } = await skep.call('GET', `/items/${id}`, { token: ann.token })
    expect(await socket.sees({ type: 'error' })).toMatchObject({ code: body.code, detail: body.detail })
  })

  test('jobs: admins receive how each ended, live and replayed', async () => {
    await using socket = await connected(admin.token)
    await socket.subscribe('jobs')
    await skep.member()
    const { cursor, data } = await socket.sees({ type: 'event', topic: 'jobs', event: 'job.done' })
    expect(data).toMatchObject({ kind: 'mail', state: 'done', attempts: 1, last_error: null })
    expect(Object.keys(data ?? {})).not.toContain('payload')
    await using later = await connected(admin.token)
    await later.subscribe('jobs', before(cursor))
    expect(await later.sees({ type: 'event', topic: 'jobs', cursor: cursor ?? '' })).toMatchObject({ data })
  })

  test('items/all and jobs: for admins', async () => {
    const ann = await skep.member()
    await using socket = await connected(ann.token)
    await using admins = await connected(admin.token)
    for (const topic of ['items/all', 'jobs']) {
      socket.send({ type: 'subscribe', topic, ref: topic })
      expect(await socket.sees({ ref: topic })).toMatchObject({ type: 'error', code: 'forbidden' })
      await admins.subscribe(topic)
    }
    await create(ann, 'for all')
    await admins.sees({ topic: 'items/all', event: 'item.created' })
    expect(socket.events()).toEqual([])
  })

  test('everyone on a topic gets the same bytes', async () => {
    const ann = await skep.member()
    await using one = await connected(ann.token)
    await using other = await connected(ann.token)
    await one.subscribe('items')
    const { cursor } = await other.subscribe('items')
    await using third = await connected(ann.token)
    await create(ann, 'ünïcödé ✓')
    await third.subscribe('items', cursor)
    await Promise.all([one, other, third].map((socket) => socket.sees({ event: 'item.created' })))
    const texts = [one, other, third].map((socket) => socket.texts.find((text) => text.includes('item.created')))
    expect(new Set(texts).size).toBe(1)
  })

  test('one subscription a topic', async () => {
    await using socket = await connected()
    await socket.subscribe('items')
    socket.send({ type: 'subscribe', topic: 'items' })
    await socket.sees({ type: 'error', code: 'already_subscribed' })
  })

  test('ends with unsubscribe, and may begin again', async () => {
    const ann = await skep.member()
    await using socket = await connected(ann.token)
    await socket.subscribe('items')
    socket.send({ type: 'unsubscribe', topic: 'items' })
    expect(await socket.sees({ type: 'unsubscribed' })).toEqual({ type: 'unsubscribed', topic: 'items' })
    await create(ann, 'unheard')
    await socket.subscribe('items')
    await create(ann, 'heard')
    await socket.sees({ event: 'item.created' })
    await socket.settled()
    expect(socket.events().map(({ data }) => data?.title)).toEqual(['heard'])
  })

  test('at most 100 a connection', async () => {
    // More than 100 frames at once would be a flood.
    const calm = await startSkep({}, { socketDurations: { frameWindowMs: 0 } })
    const ann = await calm.member()
    const operations = Array.from({ length: 100 }, (_, n) => ({ op: 'create', title: `${n}` }))
    const batch = { token: ann.token, json: { operations } }
    const { body } = await calm.call<{ results: { id: number }[] }>('POST', '/items/batch', batch)
    const topics = body.results.map(({ id }) => `items/${id}`)
    await using socket = await openSocket(calm.url, { token: ann.token })
    for (const topic of [...topics, 'items']) socket.send({ type: 'subscribe', topic })
    await socket.sees({ type: 'error', code: 'too_many_subscriptions' })
    expect(socket.frames.filter(({ type }) => type === 'subscribed')).toHaveLength(100)
  })

  test('the events of a batch come in its order, and those of one that failed do not come', async () => {
    const ann = await skep.member()
    await using socket = await connected(ann.token)
    await socket.subscribe('items')
    const operations = ['one', 'two', 'three'].map((title) => ({ op: 'create', title }))
    const failing = [...operations, { op: 'delete', id: 999_999 }]
    const send = (list: readonly object[]) =>
      skep.call('POST', '/items/batch', { token: ann.token, json: { operations: list } })
    expect((await send(failing)).status).toBe(404)
    expect((await send(operations)).status).toBe(200)
    await socket.until(() => socket.events().length >= 3)
    expect(socket.events().map(({ data }) => data?.title)).toEqual(['one', 'two', 'three'])
  })
})

describe('resuming', () => {
  test('after a cursor: everything since in order, then what is to come', async () => {
    const ann = await skep.member()
    await using socket = await connected(ann.token)
    const { cursor } = await socket.subscribe('items')
    const id = await create(ann, 'one')
    await patch(ann, id, 'two')
    await using later = await connected(ann.token)
    expect(await later.subscribe('items', cursor)).toMatchObject({ cursor, gap: false })
    await patch(ann, id, 'three')
    await later.sees({ event: 'item.updated' })
    await later.until(() => later.events().length >= 3)
    expect(later.events().map(({ data }) => data?.title)).toEqual(['one', 'two', 'three'])
  })

  test('an item that is gone meanwhile: its deletion is replayed', async () => {
    const ann = await skep.member()
    const bob = await skep.member()
    const id = await create(ann)
    await using socket = await connected(ann.token)
    const { cursor } = await socket.sees({ type: 'ready' })
    await remove(ann, id)
    await socket.subscribe(`items/${id}`, cursor)
    await socket.sees({ event: 'item.deleted', topic: `items/${id}` })
    await using others = await connected(bob.token)
    others.send({ type: 'subscribe', topic: `items/${id}`, after: cursor })
    await others.sees({ type: 'error', code: 'not_found' })
  })

  test.each([
    ['of another epoch', 'aaaaaaaaaa.1'],
    ['that is a bare number, as older versions gave them', 1],
    ['from behind the end of the log', 'present'],
  ])('a cursor %s is a gap, and what is to come follows', async (_, after) => {
    const ann = await skep.member()
    await create(ann, 'before')
    await using socket = await connected(ann.token)
    const { cursor } = await socket.sees({ type: 'ready' })
    const from = after === 'present' ? `${cursor?.split('.')[0]}.999999999` : after
    socket.send({ type: 'subscribe', topic: 'items', after: from })
    expect(await socket.sees({ type: 'subscribed' })).toMatchObject({ gap: true })
    await create(ann, 'after')
    await socket.sees({ event: 'item.created' })
    await socket.settled()
    expect(socket.events().map(({ data }) => data?.title)).toEqual(['after'])
  })
})
