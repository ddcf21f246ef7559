import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Type } from '@sinclair/typebox'
import { readAll } from '../durability/ask.ts'
import { type Answer, type Call, callAt } from '../support/call.ts'
import { type Cluster, FILES, needsCluster, type Place, startCluster } from '../support/cluster.ts'
import { type Load, type Report, startLoad } from '../support/cluster-load.ts'
import { receivedTooEarly, type Write, whatOf } from '../support/commit-order.ts'
import { pathOfLink } from '../support/load/acknowledge.ts'
import { createRandom } from '../support/load/random.ts'
import { digestAt } from '../support/load/send.ts'
import { type Frame, openSocket, positionOf } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { PNG, upload } from '../support/uploads.ts'

setDefaultTimeout(120_000)

const HEALED_MS = 5_000
const REVOKED_MS = 1_000
/** A lease of fifteen seconds, the poll that finds it over, and a second for what is then done. */
const TAKEN_OVER_MS = 15_000 + 1_000 + 1_000
const PASSWORD = 'correct horse battery'

const seed = Number(process.env.SKEP_TEST_SEED ?? Date.now() % 1_000_000)
const random = createRandom(seed)
const started = needsCluster === '' ? await startCluster(random) : null
const cluster = (): Cluster => {
  if (started === null) throw new Error('there is no cluster')
  return started
}
const call = <T>(method: string, path: string, options?: Call) => cluster().call<T>(method, path, options)
const report = (line: string) => console.log(`cluster: ${line}`)
if (started !== null) report(`3 processes, Postgres, Redis, files in ${FILES}, seed ${seed}`)

interface Session {
  readonly access_token: string
  readonly refresh_token: string
}
interface Item {
  readonly id: number
  readonly title: string
  readonly version: number
}

let people = 0
const register = (email: string) => call('POST', '/users/', { json: { email, name: 'Ann', password: PASSWORD } })
const signIn = async (email: string): Promise<Session> =>
  (await call<Session>('POST', '/auth/token', { form: { username: email, password: PASSWORD } })).body

const member = async () => {
  const email = `member${++people}@example.com`
  await register(email)
  return { email, ...(await signIn(email)) }
}

/** What each process answers, asked at the same moment. */
const everywhere = <T>(method: string, path: string, options?: Call): Promise<Answer<T>[]> =>
  Promise.all(
    cluster()
      .running()
      .map(({ url }) => callAt<T>(url, method, path, options)),
  )

const statusesOf = (answers: readonly Answer<unknown>[]) => answers.map(({ status }) => status)

/** Milliseconds until every process refuses the token; each of them took it a moment ago. */
const untilRefused = async (token: string, end: () => Promise<unknown>): Promise<number> => {
  expect(statusesOf(await everywhere('GET', '/users/me', { token }))).toEqual([200, 200, 200])
  await end()
  const ended = performance.now()
  await until(async () => statusesOf(await everywhere('GET', '/users/me', { token })).every((status) => status === 401))
  return performance.now() - ended
}

const placeOf = (name: string): Place => {
  const place = cluster().places.find((one) => one.name === name)
  if (place === undefined) throw new Error(`no place ${name}`)
  return place
}

const urlOf = (name: string): string => placeOf(name).server?.url ?? ''

const AttemptShape = Type.Object({ id: Type.Number(), kind: Type.String(), attempts: Type.Number() })

const ADMIN = 'root@example.com'
let adminMade: Promise<void> | null = null
const admin = async (): Promise<Session> => {
  adminMade ??= cluster().createAdmin(ADMIN, PASSWORD)
  await adminMade
  return signIn(ADMIN)
}

let unharmed: Load | null = null
/**
 * One load through all that happens: who works in it has seen what went before. What was wrong once would be found
 * again each time, so that after a failure another begins.
 */
const underLoad = async (disturb: () => Promise<void>): Promise<Report> => {
  const load = unharmed ?? (await startLoad(cluster(), random, (await admin()).access_token))
  unharmed = null
  const result = await load.during(disturb)
  expect(load.findings).toEqual([])
  unharmed = load
  return result
}

/** Makes a process hold the mails that it sends and gives it back whole, whatever happened to it. */
const withPausedMails = async <T>(place: Place, work: () => Promise<T>): Promise<T> => {
  place.mail.pause()
  try {
    return await work()
  } finally {
    place.mail.release()
    if (place.server === null) await cluster().start(place)
  }
}

/** Kills a process that is at work on some mails. Resolves with when it was killed, as `performance.now()` has it. */
const killAtWork = async (place: Place): Promise<number> => {
  await until(() => place.mail.paused.length >= 4)
  const killed = performance.now()
  await cluster().kill(place)
  return killed
}

/** Of the mails that a process was sending those that went out, by it or by others. */
const sentOf = ({ mail }: Place): string[] =>
  cluster()
    .letters()
    .flatMap(({ to }) => (mail.paused.includes(to) ? [to] : []))
    .toSorted()

const summaryOf = ({ requests, writes, events, refused, healing }: Report): string =>
  `${requests} requests, ${writes} writes acknowledged, ${events} events checked, ` +
  `${refused} requests refused or cut off, healed after ${healing.toFixed(0)} ms`

/** Waits until every process says so of its Redis. */
const untilReady = (state: 'ok' | 'degraded') =>
  until(async () => {
    const answers = await everywhere<{ checks: { redis: string } }>('GET', '//health/ready')
    return answers.every(({ body }) => body.checks.redis === state)
  })

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

  test('kill -9 of one process under load loses nothing acknowledged, and the others answer within five seconds', async () => {
    const place = placeOf('B')
    let killed = 0
    let gone = 0
    const result = await withPausedMails(place, () =>
      underLoad(async () => {
        killed = await killAtWork(place)
        gone = performance.now()
      }),
    )
    const healing = result.healing + gone - killed
    expect(healing).toBeLessThan(HEALED_MS)
    expect(sentOf(place)).toEqual(place.mail.paused.toSorted())
    const mails = `the ${place.mail.paused.length} mails that it was sending went out once`
    report(`kill -9 of one process: ${summaryOf({ ...result, healing })}; ${mails}`)
  })

  test('the jobs of a process that was killed are done by the others once its lease is over and they have looked', async () => {
    const place = placeOf('C')
    await withPausedMails(place, async () => {
      while (place.mail.paused.length < 4) await member()
      const killed = await killAtWork(place)
      const paused = place.mail.paused.toSorted()
      await until(() => sentOf(place).length >= paused.length)
      const taken = performance.now() - killed
      expect(sentOf(place)).toEqual(paused)
      expect(taken).toBeLessThan(TAKEN_OVER_MS)
      report(`the ${paused.length} mails that a killed process was sending went out ${taken.toFixed(0)} ms later`)
    })
  })

  test('a restart of Postgres under load heals within five seconds and loses nothing', async () => {
    const result = await underLoad(async () => void (await cluster().postgres.restart()))
    expect(result.healing).toBeLessThan(HEALED_MS)
    report(`restart of Postgres: ${summaryOf(result)}`)
  })

  test('without Redis nothing is refused and sessions end everywhere; its return heals within five seconds', async () => {
    const { access_token: token, refresh_token } = await member()
    let revoked = 0
    let healing = 0
    const result = await underLoad(async () => {
      await cluster().redis.kill()
      try {
        await untilReady('degraded')
        revoked = await untilRefused(token, () => call('POST', '/auth/revoke', { form: { token: refresh_token } }))
      } finally {
        await cluster().redis.start()
      }
      const back = performance.now()
      await untilReady('ok')
      healing = performance.now() - back
    })
    expect(result.refused).toBe(0)
    expect(revoked).toBeLessThan(REVOKED_MS)
    expect(healing).toBeLessThan(HEALED_MS)
    const end = `without it a session that ended was refused by all ${revoked.toFixed(0)} ms later`
    report(`restart of Redis: ${summaryOf({ ...result, healing })}; ${end}`)
  })

  test('a graceful stop of one process under load, and its start, lose nothing', async () => {
    const place = placeOf('C')
    const result = await underLoad(async () => {
      try {
        expect((await cluster().stop(place)).code).toBe(0)
      } finally {
        await cluster().start(place)
      }
    })
    expect(result.healing).toBeLessThan(HEALED_MS)
    report(`SIGTERM of one process, and its start: ${summaryOf(result)}`)
  })
})
