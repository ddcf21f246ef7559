import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Type } from '@sinclair/typebox'
import { readAll } from '../durability/ask.ts'
import { type Call, callAt } from '../support/call.ts'
import { type Cluster, FILES, needsCluster, startCluster } from '../support/cluster.ts'
import { receivedTooEarly, type Write, whatOf } from '../support/commit-order.ts'
import { pathOfLink } from '../support/load/acknowledge.ts'
import { createRandom } from '../support/load/random.ts'
import { digestAt } from '../support/load/send.ts'
import { type Frame, openSocket, positionOf } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { PNG, upload } from '../support/uploads.ts'
import { callsOf, PASSWORD, REVOKED_MS, type Session } from './cluster-calls.ts'
import { clusterFailures } from './cluster-failures.ts'

setDefaultTimeout(120_000)

const seed = Number(process.env.SKEP_TEST_SEED ?? Date.now() % 1_000_000)
const random = createRandom(seed)
const started = needsCluster === '' ? await startCluster(random) : null
const cluster = (): Cluster => {
  if (started === null) throw new Error('there is no cluster')
  return started
}
const report = (line: string) => console.log(`cluster: ${line}`)
if (started !== null) report(`3 processes, Postgres, Redis, files in ${FILES}, seed ${seed}`)

interface Item {
  readonly id: number
  readonly title: string
  readonly version: number
}

const calls = callsOf(cluster)
const { call, register, signIn, member, everywhere, statusesOf, untilRefused, urlOf, admin } = calls

const AttemptShape = Type.Object({ id: Type.Number(), kind: Type.String(), attempts: Type.Number() })

describe.skipIf(started === null)(`three processes on one database, files in ${FILES}${needsCluster}`, () => {
  test('whichever process a request comes to, it finds what was done through the others', async () => {
    for (let round = 0; round < 5; round++) {
      const { email, access_token: token } = await member()
      const again = await register(email)
      expect([again.status, again.body]).toMatchObject([400, { code: 'email_taken' }])
      const { body: item, headers: first } = await call<Item>('POST', '/items/', { token, json: { title: 'one' } })
      let etag = first.get('etag') ?? ''
      for (let version = 2; version < 8; version++) {
        const headers = { 'if-match': etag }
        const { body, headers: answered } = await call<Item>('PATCH', `/items/${item.id}`, {
          token,
          headers,
          json: { title: `${version}` },
        })
        expect(body.version).toBe(version)
        etag = answered.get('etag') ?? ''
      }
      for (const { body } of await everywhere('GET', `/items/${item.id}`, { token })) {
        expect(body).toMatchObject({ title: '7', version: 7 })
      }
      expect((await call('DELETE', `/items/${item.id}`, { token })).status).toBe(204)
      expect(statusesOf(await everywhere('GET', `/items/${item.id}`, { token }))).toEqual([404, 404, 404])
    }
  })

  test('of racing changes to one version through all processes, one succeeds and the others get 412', async () => {
    const { access_token: token } = await member()
    const { body: item } = await call<Item>('POST', '/items/', { token, json: { title: 'raced' } })
    for (let version = 1; version <= 10; version++) {
      const { headers: known } = await call('GET', `/items/${item.id}`, { token })
      const headers = { 'if-match': known.get('etag') ?? '' }
      const answers = await everywhere('PATCH', `/items/${item.id}`, {
        token,
        headers,
        json: { title: `after ${version}` },
      })
      expect(statusesOf(answers).sort()).toEqual([200, 412, 412])
    }
  })

  test('a file that came through one process is served whole, in ranges and by link by all, until one removes it', async () => {
    const { access_token: token } = await member()
    const content = new Uint8Array(3_000_000)
    for (let at = 0; at < content.length; at++) content[at] = random.integer(0, 255)
    content.set(PNG)
    const { body: file } = await upload(call, { token, content })
    const links = await everywhere<{ url: string }>('POST', `/files/${file.id}/links`, {
      token,
      json: { expires_in: 60 },
    })
    const path = `/api/v1/files/${file.id}/content`
    for (const { url } of cluster().running()) {
      const headers = { authorization: `Bearer ${token}`, range: 'bytes=1000000-1999999' }
      const part = await fetch(url + path, { headers })
      expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 1000000-1999999/3000000'])
      expect(Bun.deepEquals(new Uint8Array(await part.arrayBuffer()), content.slice(1_000_000, 2_000_000))).toBe(true)
      expect(await digestAt(url, path, token)).toBe(file.sha256)
      for (const link of links) expect(await digestAt(url, pathOfLink(link.body.url))).toBe(file.sha256)
    }
    expect((await call('DELETE', `/files/${file.id}`, { token })).status).toBe(204)
    expect(statusesOf(await everywhere('GET', `/files/${file.id}/content`, { token }))).toEqual([404, 404, 404])
    for (const link of links) expect(await digestAt(urlOf('A'), pathOfLink(link.body.url))).toBeNull()
  })

  test('a refresh token has one successor, whichever processes it is sent to at the same moment', async () => {
    let session: Session = await member()
    for (let round = 0; round < 10; round++) {
      const form = { grant_type: 'refresh_token', refresh_token: session.refresh_token }
      const answers = await everywhere<Session>('POST', '/auth/token', { form })
      expect(statusesOf(answers)).toEqual([200, 200, 200])
      expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1)
      for (const { body } of answers) {
        expect((await call('GET', '/users/me', { token: body.access_token })).status).toBe(200)
        session = body
      }
    }
  })

  test('a session that ends in one process ends within a second in all, for requests and for sockets', async () => {
    const { email, access_token: first } = await member()
    const slowest: number[] = []
    const ways: readonly ((session: Session) => Promise<unknown>)[] = [
      ({ refresh_token }) => call('POST', '/auth/revoke', { form: { token: refresh_token } }),
      ({ access_token }) => call('DELETE', '/auth/sessions', { token: access_token }),
      () =>
        call('POST', '/users/me/password', {
          token: first,
          json: { current_password: PASSWORD, new_password: PASSWORD },
        }),
    ]
    for (const [index, end] of ways.entries()) {
      const session = index === 1 ? await member() : await signIn(email)
      const sockets = await Promise.all(
        cluster()
          .running()
          .map(({ url }) => openSocket(url, { token: session.access_token })),
      )
      slowest.push(await untilRefused(session.access_token, () => end(session)))
      for (const socket of sockets) expect((await socket.closed).code).toBe(4401)
    }
    expect(Math.max(...slowest)).toBeLessThan(REVOKED_MS)
    report(`a session that ended was refused by every process ${Math.max(...slowest).toFixed(0)} ms later at most`)
  })

  test('two requests with one key take effect once, in sequence or concurrently in different processes', async () => {
    const { access_token: token } = await member()
    for (let round = 0; round < 20; round++) {
      const headers = { 'idempotency-key': `key-${round}` }
      const json = { title: `once ${round}` }
      const racing = await everywhere<Item>('POST', '/items/', { token, json, headers })
      const later = await call<Item>('POST', '/items/', { token, json, headers })
      const made = racing.filter(({ status }) => status === 201)
      expect(statusesOf(racing).every((status) => status === 201 || status === 409)).toBe(true)
      expect(made.filter((answer) => !answer.headers.has('idempotency-replayed')).length).toBe(1)
      expect(later.headers.get('idempotency-replayed')).toBe('true')
      for (const { body } of made) expect(body).toEqual(later.body)
      const other = await call('POST', '/items/', { token, json: { title: 'another' }, headers })
      expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_mismatch' } })
    }
    expect((await call<{ total: number }>('GET', '/items/', { token })).body.total).toBe(20)
  })

  test('limits are counted over all processes together', async () => {
    const { email, access_token: token } = await member()
    const limited = await cluster().startOthers({ RATE_LIMIT: '30/1m', RATE_LIMIT_AUTH: '6/1m', TRUST_PROXY: '1' })
    try {
      const url = () => random.pick(limited).url
      const asked = await Promise.all(Array.from({ length: 90 }, () => callAt(url(), 'GET', '/users/me', { token })))
      const refused = asked.filter(({ status }) => status === 429)
      expect(asked.length - refused.length).toBe(30)
      expect(refused.every(({ headers }) => Number(headers.get('retry-after')) > 0)).toBe(true)
      const triesOf = async (username: string, address: (n: number) => string, tries = 9) => {
        const statuses: number[] = []
        for (let n = 0; n < tries; n++) {
          const options = { form: { username, password: 'wrong' }, headers: { 'x-forwarded-for': address(n) } }
          statuses.push((await callAt(url(), 'POST', '/auth/token', options)).status)
        }
        return statuses
      }
      const sixAndNoMore = [400, 400, 400, 400, 400, 400, 429, 429, 429]
      // Of one account, five times as many count from all networks together as from one.
      const spread = await triesOf(email, (n) => `192.0.${n}.1`, 33)
      expect(spread).toEqual([...Array(30).fill(400), 429, 429, 429])
      expect(await triesOf('nobody@example.com', () => '198.51.100.1')).toEqual(sixAndNoMore)
    } finally {
      for (const server of limited) await server[Symbol.asyncDispose]()
    }
  })

  test('sockets receive concurrent writes through all processes in commit order, each once', async () => {
    const { access_token: token } = await member()
    await using open = new AsyncDisposableStack()
    const sockets = await Promise.all(['A', 'B', 'C'].map((name) => openSocket(urlOf(name), { token })))
    for (const socket of sockets) await open.use(socket).subscribe('items', 0)
    const writes: Write[] = []
    const write = async (version: number, method: string, path: string, options: Call) => {
      const begun = performance.now()
      const { status, body } = await call<Item>(method, path, { token, ...options })
      expect([200, 201, 204]).toContain(status)
      const id = status === 204 ? Number(path.split('/')[2]) : body.id
      writes.push({ begun, ended: performance.now(), what: `${method} ${id} ${version}` })
      return id
    }
    const writer = async () => {
      for (let n = 0; n < 12; n++) {
        const id = await write(1, 'POST', '/items/', { json: { title: `item ${n}` } })
        await write(2, 'PATCH', `/items/${id}`, { json: { title: 'changed' } })
        await write(3, 'PATCH', `/items/${id}`, { json: { title: 'changed again' } })
        if (n % 3 === 0) await write(3, 'DELETE', `/items/${id}`, {})
      }
    }
    // One hears a little from each, one after the other.
    const wandered: Frame[] = []
    const receiveOn = async (name: string, most: number) => {
      await using socket = await openSocket(urlOf(name), { token, clientId: 'wanderer' })
      expect((await socket.subscribe('items', wandered.at(-1)?.cursor ?? 0)).gap).toBe(false)
      await socket.until(() => socket.events().length >= most)
      await socket.settled()
      wandered.push(...socket.events())
    }
    const wander = async () => {
      for (const name of ['A', 'B', 'C', 'A', 'B']) await receiveOn(name, 20)
    }
    await Promise.all([wander(), ...Array.from({ length: 8 }, writer)])
    await receiveOn('C', writes.length - wandered.length)
    for (const socket of sockets) {
      await socket.until(() => socket.events().length >= writes.length)
      await socket.settled()
    }
    const received = sockets[0]?.events() ?? []
    for (const socket of sockets) expect(socket.events()).toEqual(received)
    expect(wandered).toEqual([...received])
    expect(received.map(whatOf).toSorted()).toEqual(writes.map(({ what }) => what).toSorted())
    const cursors = received.map(({ cursor }) => positionOf(cursor))
    expect(cursors).toEqual([...new Set(cursors)].toSorted((a, b) => a - b))
    expect(receivedTooEarly(received, writes)).toEqual([])
    report(`${writes.length} writes by 8 writers; 4 subscribers received each of them once, in commit order`)
  })

  test('each of 300 welcome mails goes out once and at the first attempt, whoever registers where', async () => {
    const { access_token: token } = await admin()
    const addresses = Array.from({ length: 300 }, (_, n) => `welcome${n}@example.com`)
    const left = addresses.values()
    const registering = async () => {
      for (const email of left) expect((await register(email)).status).toBe(201)
    }
    await Promise.all(Array.from({ length: 6 }, registering))
    const welcomes = () =>
      cluster()
        .letters()
        .filter(({ to, subject }) => to.startsWith('welcome') && subject.startsWith('Welcome'))
    await until(() => new Set(welcomes().map(({ to }) => to)).size === addresses.length)
    const jobsThat = (state: string) => readAll(urlOf('A'), `/admin/jobs?state=${state}`, token, AttemptShape)
    await until(async () => (await jobsThat('running')).length === 0)
    expect(welcomes()).toHaveLength(addresses.length)
    const done = await jobsThat('done')
    expect(done.length).toBeGreaterThanOrEqual(addresses.length)
    expect(done.filter(({ attempts }) => attempts !== 1)).toEqual([])
    expect(cluster().places.every(({ mail }) => mail.letters.length > 0)).toBe(true)
    const shares = cluster().places.map(({ name, mail }) => `${mail.letters.length} by ${name}`)
    report(`300 registrations: 300 welcome mails, no attempt twice (mails so far: ${shares.join(', ')})`)
  })

  clusterFailures(calls, random, report)
})
