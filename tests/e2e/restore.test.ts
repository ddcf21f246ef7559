import { expect, test } from 'bun:test'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { folder, type Server, serve } from '../support/process.ts'
import { openSocket } from '../support/socket.ts'
import { embeddedOnly } from '../support/stack.ts'

interface Item {
  readonly id: number
  readonly version: number
}

const ACCOUNT = { email: 'ann@example.com', password: 'correct horse' }

const stop = async (skep: Server) => {
  skep.signal('SIGTERM')
  expect((await skep.exit()).code).toBe(0)
}

const signIn = async (skep: Server, { email, password } = ACCOUNT) => {
  const form = { username: email, password }
  return (await skep.call<{ access_token: string }>('POST', '/auth/token', { form })).body.access_token
}

/** A client that keeps what it was told: the last cursor, and of each item its ETag. */
const clientOf = async (skep: Server) => {
  const token = await signIn(skep)
  const etagOf = (answer: { headers: Headers }) => answer.headers.get('etag') ?? ''
  return {
    token,
    async create(title: string) {
      const answer = await skep.call<Item>('POST', '/items/', { token, json: { title } })
      return { id: answer.body.id, etag: etagOf(answer) }
    },
    async change(id: number, title: string) {
      return etagOf(await skep.call<Item>('PATCH', `/items/${id}`, { token, json: { title } }))
    },
    get: (id: number, etag: string) =>
      skep.call<Item>('GET', `/items/${id}`, { token, headers: { 'if-none-match': etag } }),
    put: (id: number, etag: string) =>
      skep.call<{ code?: string }>('PATCH', `/items/${id}`, {
        token,
        json: { title: 'overwritten' },
        headers: { 'if-match': etag },
      }),
    async cursorAfter(titles: readonly string[], work: () => Promise<unknown>) {
      await using socket = await openSocket(skep.url, { token })
      await socket.subscribe('items')
      await work()
      await socket.until(() => socket.events().length >= titles.length)
      return socket.events().at(-1)?.cursor ?? ''
    },
  }
}

test('after a restore, old cursors report missed events and no ETag from before matches', async () => {
  using home = folder()
  const [data, copy] = [join(home.path, 'data'), join(home.path, 'copy')]
  const options = { cwd: home.path, env: { ...embeddedOnly, DATA_DIR: data } }

  const first = await serve(options)
  await first.call('POST', '/users/', { json: { ...ACCOUNT, name: 'Ann' } })
  const early = await clientOf(first)
  let item = { id: 0, etag: '' }
  const cursorOfCopy = await early.cursorAfter(['kept'], async () => {
    item = await early.create('kept')
  })
  await stop(first)
  cpSync(data, copy, { recursive: true })

  const second = await serve(options)
  const later = await clientOf(second)
  expect((await later.get(item.id, item.etag)).status).toBe(304)
  let changed = ''
  let lost = { id: 0, etag: '' }
  const cursorOfLost = await later.cursorAfter(['changed', 'lost'], async () => {
    changed = await later.change(item.id, 'changed')
    lost = await later.create('lost')
  })
  await stop(second)
  rmSync(data, { recursive: true })
  cpSync(copy, data, { recursive: true })

  await using third = await serve(options)
  const restored = await clientOf(third)
  expect((await restored.get(item.id, item.etag)).status).toBe(304)
  await restored.change(item.id, 'changed otherwise')
  const fresh = []
  for (let n = 0; n < 5; n++) fresh.push(await restored.create(`new ${n}`))
  expect(fresh[0]?.id).toBe(lost.id)

  await using lagging = await openSocket(third.url, { token: restored.token })
  expect(await lagging.subscribe('items', cursorOfLost)).toMatchObject({ gap: true })
  for (const [id, etag] of [
    [item.id, changed],
    [lost.id, lost.etag],
  ] as const) {
    const refused = await restored.put(id, etag)
    expect([refused.status, refused.body.code]).toEqual([412, 'version_mismatch'])
    expect((await restored.get(id, etag)).status).toBe(200)
  }
  await using whole = await openSocket(third.url, { token: restored.token })
  expect(await whole.subscribe('items', cursorOfCopy)).toMatchObject({ gap: false })
  await whole.until(() => whole.events().length >= 6)
  expect(whole.events().map(({ data }) => data?.title)).toEqual([
    'changed otherwise',
    ...fresh.map((_, n) => `new ${n}`),
  ])
})

test('after a restore, an access token from before is refused, also once its ids are those of another user', async () => {
  using home = folder()
  const [data, copy] = [join(home.path, 'data'), join(home.path, 'copy')]
  const options = { cwd: home.path, env: { ...embeddedOnly, DATA_DIR: data } }
  await using first = await serve(options)
  await first.call('POST', '/users/', { json: { ...ACCOUNT, name: 'Ann' } })
  const kept = await signIn(first)
  await stop(first)
  cpSync(data, copy, { recursive: true })

  await using second = await serve(options)
  const mallory = { email: 'mallory@example.com', password: 'correct horse' }
  const registered = await second.call<{ id: number }>('POST', '/users/', { json: { ...mallory, name: 'Mallory' } })
  const lost = await signIn(second, mallory)
  await stop(second)
  rmSync(data, { recursive: true })
  cpSync(copy, data, { recursive: true })

  await using third = await serve(options)
  const bob = { email: 'bob@example.com', password: 'correct horse' }
  const successor = await third.call<{ id: number }>('POST', '/users/', { json: { ...bob, name: 'Bob' } })
  expect(successor.body.id).toBe(registered.body.id)
  const token = await signIn(third, bob)
  const me = async (as: string) => (await third.call('GET', '/users/me', { token: as })).status
  expect([await me(token), await me(kept), await me(lost)]).toEqual([200, 200, 401])
  await third.call('POST', '/auth/revoke', { form: { token: lost } })
  expect(await me(token)).toBe(200)
})

test('a copy made while the server runs differs from what the server wrote afterwards', async () => {
  using home = folder()
  const [data, copy] = [join(home.path, 'data'), join(home.path, 'copy')]
  const options = { cwd: home.path, env: { ...embeddedOnly, DATA_DIR: data } }
  const first = await serve(options)
  await first.call('POST', '/users/', { json: { ...ACCOUNT, name: 'Ann' } })
  const client = await clientOf(first)
  const cursorOfCopy = await client.cursorAfter(['kept'], () => client.create('kept'))
  cpSync(data, copy, { recursive: true })
  let lost = { id: 0, etag: '' }
  const cursorOfLost = await client.cursorAfter(['lost'], async () => {
    lost = await client.create('lost')
  })
  await stop(first)
  rmSync(data, { recursive: true })
  cpSync(copy, data, { recursive: true })

  await using second = await serve(options)
  const restored = await clientOf(second)
  expect((await restored.create('new')).id).toBe(lost.id)
  await using socket = await openSocket(second.url, { token: restored.token })
  await socket.subscribe('items', cursorOfLost)
  expect(socket.frames.at(-1)).toMatchObject({ type: 'subscribed', gap: true })
  expect((await restored.put(lost.id, lost.etag)).status).toBe(412)
  await using other = await openSocket(second.url, { token: restored.token })
  expect(await other.subscribe('items', cursorOfCopy)).toMatchObject({ gap: false })
})
