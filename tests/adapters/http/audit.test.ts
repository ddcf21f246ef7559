import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { testClock } from '../../support/clock.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'
import { until } from '../../support/until.ts'

interface Entry {
  readonly id: number
  readonly created_at: string
  readonly action: string
  readonly subject: string | null
  readonly actor_id: number | null
  readonly address: string | null
  readonly details: Readonly<Record<string, unknown>>
}

interface Page {
  readonly items: readonly Entry[]
  readonly total: number | null
  readonly next_cursor: string | null
}

const METRICS_TOKEN = 'a token of sixteen'.replaceAll(' ', '-')
const clock = testClock()
const skep = await startSkep({ METRICS_TOKEN, AUDIT_RETENTION: '400d', ACCESS_TOKEN_TTL: '30d' }, { clock })
const root = await createFirstAdmin(skep)

const list = (query: string, token = root.token) => skep.call<Page>('GET', `/admin/audit?${query}`, { token })
const entries = async (query: string) => (await list(query)).body.items
const refuse = (username: string) =>
  skep.call('POST', '/auth/token', { form: { username, password: 'not the password' } })

const SCHEMA = { type: 'object', properties: { title: { type: 'string' } } }
const define = (name: string, rules: object) =>
  skep.call('PUT', `/collections/${name}`, { token: root.token, json: { schema: SCHEMA, rules } })

describe('the list of the audit log', () => {
  test('is for admins, and cannot be changed', async () => {
    const ann = await skep.member()
    expect((await list('', ann.token)).status).toBe(403)
    expect((await skep.call('GET', '/admin/audit')).status).toBe(401)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expect((await skep.call(method, '/admin/audit', { token: root.token })).status).toBe(405)
    }
  })

  test('selects by actor, action, prefix of actions, subject and time', async () => {
    const ann = await skep.member()
    const since = new Date(clock.now()).toISOString()
    await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { role: 'admin', name: 'Bea' } })
    clock.advance(1_000)
    await skep.call('DELETE', `/users/${ann.id}/sessions`, { token: root.token })
    const about = `subject=users/${ann.id}`
    const actions = async (query: string) => (await entries(`${about}&${query}`)).map(({ action }) => action)
    expect(await actions('')).toEqual(['session.ended', 'user.updated', 'session.started', 'user.created'])
    expect(await actions(`actor=${root.id}`)).toEqual(['session.ended', 'user.updated'])
    expect(await actions(`actor=${ann.id}`)).toEqual(['session.started'])
    expect(await actions('action=user.')).toEqual(['user.updated', 'user.created'])
    expect(await actions('action=user.created')).toEqual(['user.created'])
    expect(await actions(`action=user.updated&until=${since}`)).toEqual(['user.updated'])
    expect(await actions(`since=${new Date(clock.now()).toISOString()}`)).toEqual(['session.ended'])
    const [updated] = await entries(`${about}&action=user.updated`)
    expect(updated?.details).toEqual({ changed: 'name,role', role_before: 'user', role_after: 'admin' })
  })

  test('is paginated like every list', async () => {
    for (let n = 0; n < 5; n++) await skep.member()
    const query = 'action=user.created&size=2'
    const first = (await list(query)).body
    expect(first.total).toBeGreaterThanOrEqual(5)
    const second = (await list(`${query}&page=2`)).body
    const byCursor = (await list(`${query}&cursor=${first.next_cursor}`)).body
    expect(byCursor.items).toEqual(second.items)
    expect(byCursor.total).toBeNull()
    expect((await list(`${query}&total=false`)).body).toEqual({ ...first, total: null, pages: null } as typeof first)
    const deep = await list('size=100&page=1000')
    expect([deep.status, deep.body]).toMatchObject([422, { code: 'page_too_deep' }])
  })

  test('refuses parameters of the wrong form', async () => {
    for (const query of ['actor=x', 'action=DROP', 'since=yesterday', 'cursor=x']) {
      expect([query, (await list(query)).status < 500, (await list(query)).status >= 400]).toEqual([query, true, true])
    }
  })
})

describe('an entry of the audit log', () => {
  test('is not written for a change that is refused', async () => {
    const [ann, bea] = [await skep.member(), await skep.member()]
    const json = { role: 'admin', email: bea.email }
    expect((await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json })).status).toBe(400)
    expect(await entries(`subject=users/${ann.id}&action=user.updated`)).toEqual([])
  })

  test('counts failed sign-ins to one account, and does not tell which address was tried in vain', async () => {
    const ann = await skep.member()
    for (let n = 0; n < 3; n++) await refuse(ann.email)
    const failed = await entries(`subject=users/${ann.id}&action=sign_in.`)
    expect(failed).toMatchObject([{ address: '127.0.0.1', actor_id: null, details: { count: 3 } }])
    await refuse('nobody-has-this@example.com')
    const all = await entries('action=sign_in.failed')
    expect(all.filter(({ subject }) => subject === null)).toHaveLength(1)
    expect(JSON.stringify(all)).not.toContain('nobody-has-this')
  })

  test('has the settings of each start that are not the default ones, without secrets', async () => {
    const [started] = await entries('action=settings.loaded')
    expect(started?.actor_id).toBeNull()
    expect(started?.details).toMatchObject({ AUDIT_RETENTION: '400d', METRICS_TOKEN: '***' })
    expect(started?.details).not.toHaveProperty('SIGNUP')
  })

  test('loses the address when the account is deleted', async () => {
    const ann = await skep.member()
    await refuse(ann.email)
    await skep.call('DELETE', `/users/${ann.id}`, { token: root.token })
    await until(async () => (await entries(`actor=${ann.id}`)).every(({ address }) => address === null))
    const about = await entries(`subject=users/${ann.id}`)
    expect(about.map(({ action }) => action)).toEqual([
      'user.deleted',
      'sign_in.failed',
      'session.started',
      'user.created',
    ])
  })
})

describe('what admins read', () => {
  const read = (path: string, token = root.token) => skep.call('GET', path, { token })
  const noted = (subject: string) => entries(`subject=${encodeURIComponent(subject)}&action=record.read`)
  const record = async (path: string, { token }: Pick<Member, 'token'>) => {
    const { body } = await skep.call<{ id: number }>('POST', path, { token, json: { title: 'private' } })
    return body.id
  }

  test('of other users has one entry per hour', async () => {
    const ann = await skep.member()
    const id = await record('/items/', ann)
    for (let n = 0; n < 3; n++) await read(`/items/${id}`)
    expect(await noted(`items/${id}`)).toMatchObject([{ actor_id: root.id, address: '127.0.0.1', details: {} }])
    clock.advance(3_600_000)
    await read(`/items/${id}`)
    expect(await noted(`items/${id}`)).toHaveLength(2)
  })

  test('has an entry for lists, histories and exports too', async () => {
    const ann = await skep.member()
    await define('diaries', {})
    const id = await record('/collections/diaries/records/', ann)
    expect(await noted('diaries')).toEqual([])
    await read('/collections/diaries/records/')
    expect(await noted('diaries')).toHaveLength(1)
    await read(`/collections/diaries/records/${id}/history`)
    expect(await noted(`diaries/${id}`)).toHaveLength(1)
    await define('journals', {})
    await read('/collections/journals/records/export')
    expect(await noted('journals')).toHaveLength(1)
  })

  test('has an entry for a subscription over the WebSocket, and none if it is their own or public', async () => {
    const ann = await skep.member()
    await define('letters', {})
    await define('bulletins', { read: 'true' })
    const id = await record('/items/', ann)
    await using socket = await openSocket(skep.url, { token: root.token })
    for (const topic of ['letters', 'bulletins', 'items', `items/${id}`, 'jobs']) await socket.subscribe(topic)
    expect(await noted('letters')).toMatchObject([{ actor_id: root.id, address: '127.0.0.1' }])
    expect(await noted(`items/${id}`)).toHaveLength(1)
    expect([await noted('bulletins'), await noted('items'), await noted('jobs')]).toEqual([[], [], []])
    await socket.subscribe('items/all')
    expect(await noted('items')).toHaveLength(1)
    await using other = await openSocket(skep.url, { token: ann.token })
    await other.subscribe('letters')
    expect(await noted('letters')).toHaveLength(1)
  })

  test('has an entry for a subscription that shows records of other users since a change of the role or the rules', async () => {
    const ann = await skep.member()
    await define('memos', {})
    await using socket = await openSocket(skep.url, { token: ann.token })
    await socket.subscribe('memos')
    await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { role: 'admin' } })
    await until(async () => (await noted('memos')).length === 1)
    expect(await noted('memos')).toMatchObject([{ actor_id: ann.id, address: '127.0.0.1' }])
    await define('posters', { read: 'true' })
    await socket.subscribe('posters')
    expect(await noted('posters')).toEqual([])
    await define('posters', {})
    await until(async () => (await noted('posters')).length === 1)
  })

  test('of accounts and files has an entry', async () => {
    const ann = await skep.member()
    await read(`/users/${ann.id}`)
    expect(await entries(`subject=users/${ann.id}&action=user.read`)).toHaveLength(1)
    await read('/users/')
    expect((await entries('subject=users&action=user.read')).length).toBeGreaterThan(0)
  })

  test('has no entry if it is their own, or everybody may read it', async () => {
    const own = await record('/items/', root)
    await read(`/items/${own}`)
    expect(await noted(`items/${own}`)).toEqual([])
    await define('news', { read: 'true' })
    const id = await record('/collections/news/records/', await skep.member())
    await read(`/collections/news/records/${id}`)
    await read('/collections/news/records/')
    expect([await noted(`news/${id}`), await noted('news')]).toEqual([[], []])
  })

  test('has no entry for other users', async () => {
    const ann = await skep.member()
    const id = await record('/items/', ann)
    await read(`/items/${id}`, ann.token)
    await read(`/users/${ann.id}`, ann.token)
    const ofAnn = await entries(`actor=${ann.id}`)
    expect(ofAnn.map(({ action }) => action).sort()).toEqual(['record.created', 'session.started'])
  })
})
