import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { start } from '../../src/main.ts'
import { createFirstAdmin } from '../support/admin.ts'
import { type Answer, type Call, callAt, type Fields } from '../support/call.ts'
import { valueIn } from '../support/metrics.ts'
import { folder, run, serve } from '../support/process.ts'
import { recordingLog, settingsOf, temporaryFolder } from '../support/skep.ts'
import { openSocket, type TestSocket } from '../support/socket.ts'
import { embeddedOnly } from '../support/stack.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(60_000)

/** Rounds of killed threads. */
const ROUNDS = Number(process.env.SKEP_TEST_KILLED_THREADS ?? 4)
const PASSWORD = 'correct horse battery'

/** A server with two threads, each request to which is one of a new connection and so of either thread. */
const startThreads = async (environment: Readonly<Record<string, string>> = {}) => {
  const DATA_DIR = temporaryFolder()
  const settings = settingsOf({
    ...{ DATA_DIR, PORT: '0', RATE_LIMIT: 'off', RATE_LIMIT_AUTH: 'off', SHUTDOWN_TIMEOUT: '5s', LOG_LEVEL: 'error' },
    ...{ WORKERS: '2', METRICS_TOKEN: 'abcdefghijklmnop' },
    ...environment,
  })
  const log = recordingLog()
  let kill = (_: number) => {}
  const skep = await start({
    ...{ settings, log },
    onThreads(given) {
      kill = given
    },
  })
  afterAll(() => skep.close())
  const call = <T = Fields>(method: string, path: string, options?: Call): Promise<Answer<T>> =>
    callAt<T>(skep.url, method, path, options)
  let people = 0
  const member = async () => {
    const email = `person${++people}@example.com`
    await call('POST', '/users/', { json: { email, name: 'Ann', password: PASSWORD } })
    const { body } = await call<{ access_token: string }>('POST', '/auth/token', {
      form: { username: email, password: PASSWORD },
    })
    return { email, token: body.access_token }
  }
  return {
    url: skep.url,
    dataDir: DATA_DIR,
    call,
    member,
    log,
    kill: (thread: number) => kill(thread),
    close: () => skep.close(),
  }
}

/** What `count` requests at once are answered. */
const statusesOf = async (count: number, ask: () => Promise<Answer<unknown>>): Promise<readonly number[]> =>
  (await Promise.all(Array.from({ length: count }, ask))).map(({ status }) => status)

const times = (count: number, status: number) => Array.from({ length: count }, () => status)

const skep = await startThreads()

test('what one thread has acknowledged, every thread reads at once', async () => {
  const { token } = await skep.member()
  for (let round = 0; round < 40; round++) {
    const title = `item ${round}`
    const created = await skep.call<{ id: number }>('POST', '/items/', { token, json: { title } })
    expect(created.status).toBe(201)
    const found = await Promise.all(
      [1, 2, 3].map(() => skep.call<Fields>('GET', `/items/${created.body.id}`, { token })),
    )
    expect(found.map(({ body }) => body.title)).toEqual([title, title, title])
  }
})

test('a session that ends in one thread has ended in all', async () => {
  for (let round = 0; round < 5; round++) {
    const { token } = await skep.member()
    const me = () => skep.call('GET', '/users/me', { token })
    expect(await statusesOf(16, me)).toEqual(times(16, 200))
    expect((await skep.call('POST', '/auth/revoke', { form: { token } })).status).toBe(200)
    expect(await statusesOf(16, me)).toEqual(times(16, 401))
  }
})

test('a definition that is changed by one thread has effect on the next request and the sockets of all', async () => {
  const { token: admin } = await createFirstAdmin(skep)
  const { token } = await skep.member()
  const define = (read: string | null) =>
    skep.call('PUT', '/collections/notes', {
      token: admin,
      json: { schema: { type: 'object', properties: {} }, rules: { read } },
    })
  await define('true')
  const { body } = await skep.call<{ id: number }>('POST', '/collections/notes/records/', { token: admin, json: {} })
  const ask = () => skep.call('GET', `/collections/notes/records/${body.id}`, { token })
  const sockets: TestSocket[] = []
  for (let index = 0; index < 8; index++) sockets.push(await openSocket(skep.url, { token }))
  for (const socket of sockets) await socket.subscribe('notes')
  for (let round = 1; round <= 5; round++) {
    expect(await statusesOf(16, ask)).toEqual(times(16, 200))
    expect((await define(null)).status).toBe(200)
    expect(await statusesOf(16, ask)).toEqual(times(16, 404))
    for (const socket of sockets) await socket.until(() => socket.events().length >= 2 * round - 1)
    expect((await define('true')).status).toBe(200)
    for (const socket of sockets) await socket.until(() => socket.events().length >= 2 * round)
  }
  for (const socket of sockets) {
    const events = socket.events().map(({ event }) => event)
    expect(events).toEqual(Array.from({ length: 5 }, () => ['note.left', 'note.updated']).flat())
    socket.close()
  }
})

test('a change reaches every socket of every thread once, and the limit of sockets counts all threads', async () => {
  const { token } = await skep.member()
  const sockets: TestSocket[] = []
  for (let index = 0; index < 20; index++) sockets.push(await openSocket(skep.url, { token }))
  for (const socket of sockets) await socket.subscribe('items')
  const late = await openSocket(skep.url)
  late.send({ type: 'auth', token })
  expect(await late.closed).toMatchObject({ code: 4429 })
  const ids: number[] = []
  for (let round = 0; round < 10; round++) {
    const { body } = await skep.call<{ id: number }>('POST', '/items/', { token, json: { title: `item ${round}` } })
    ids.push(body.id)
  }
  for (const socket of sockets) await socket.until(() => socket.events().length >= ids.length)
  for (const socket of sockets) await socket.settled()
  for (const socket of sockets) expect(socket.events().map(({ data }) => data?.id)).toEqual(ids)
  for (const socket of sockets) socket.close()
})

test('limits count the requests of all threads', async () => {
  const limited = await startThreads({ RATE_LIMIT_AUTH: '6/1m' })
  const ask = () => limited.call('POST', '/auth/token', { form: { username: 'nobody@example.com', password: 'wrong' } })
  const statuses = await statusesOf(16, ask)
  expect(statuses.filter((status) => status !== 429).length).toBeLessThanOrEqual(6)
  expect(statuses).toContain(400)
  await limited.close()
})

/** How many of them the metrics have counted. */
const requestsToMe = async (): Promise<number> => {
  const { body } = await skep.call<string>('GET', '//metrics', { token: 'abcdefghijklmnop' })
  return valueIn(body, 'skep_http_requests_total', { route: '/api/v1/users/me', status: '200' })
}

test('metrics are those of all threads, whichever is asked', async () => {
  const { token } = await skep.member()
  const before = await requestsToMe()
  await statusesOf(30, () => skep.call('GET', '/users/me', { token }))
  for (const _ of [1, 2, 3, 4]) expect(await requestsToMe()).toBe(before + 30)
})

test('what a killed thread had counted still counts', async () => {
  const { token } = await skep.member()
  await statusesOf(30, () => skep.call('GET', '/users/me', { token }))
  const before = await requestsToMe()
  const replaced = skep.log.entries.length
  skep.kill(1)
  await skep.log.until((entry) => skep.log.entries.indexOf(entry) >= replaced && /was replaced/.test(entry.message))
  expect(await requestsToMe()).toBe(before)
})

/** Of this process. */
const openLogs = (): number =>
  readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === join(realpathSync(skep.dataDir), 'skep.db-wal')
    } catch {
      // The one that reads the folder.
      return false
    }
  }).length

test('a killed thread leaves no descriptor of the write-ahead log open', async () => {
  const { token } = await skep.member()
  const replace = async (thread: number) => {
    const replaced = skep.log.entries.length
    skep.kill(thread)
    await skep.log.until((entry) => skep.log.entries.indexOf(entry) >= replaced && /was replaced/.test(entry.message))
    await statusesOf(16, () => skep.call('POST', '/items/', { token, json: { title: 'written' } }))
  }
  await replace(1)
  const before = openLogs()
  for (const thread of [2, 1, 2, 1]) await replace(thread)
  // A connection of a thread has it open once it has read or written.
  expect(openLogs()).toBeLessThanOrEqual(before + 2)
})

test('a thread that is killed is replaced, and nothing that was acknowledged is lost', async () => {
  const { token } = await skep.member()
  const acknowledged: number[] = []
  let isDone = false
  let longestMs = 0
  const writers = [1, 2, 3, 4].map(async () => {
    while (!isDone) {
      const { body } = await skep
        .call<{ id?: number }>('POST', '/items/', { token, json: { title: 'written meanwhile' } })
        .catch(() => ({ body: {} as { id?: number } }))
      if (body.id !== undefined) acknowledged.push(body.id)
    }
  })
  for (let round = 0; round < ROUNDS; round++) {
    const before = acknowledged.length
    await until(() => acknowledged.length > before + 20)
    const ended = performance.now()
    const replaced = skep.log.entries.length
    skep.kill(1 + (round % 2))
    await skep.log.until((entry) => skep.log.entries.indexOf(entry) >= replaced && /was replaced/.test(entry.message))
    const requests = () => statusesOf(8, () => skep.call('GET', '/users/me', { token }).catch(failedAnswer))
    await until(async () => (await requests()).every((status) => status === 200))
    longestMs = Math.max(longestMs, performance.now() - ended)
  }
  isDone = true
  await Promise.all(writers)
  console.log(`${ROUNDS} killed threads, at most ${longestMs.toFixed(0)} ms until all requests were answered`)
  for (let from = 0; from < acknowledged.length; from += 50) {
    const found = await Promise.all(
      acknowledged.slice(from, from + 50).map((id) => skep.call('GET', `/items/${id}`, { token })),
    )
    expect(found.every(({ status }) => status === 200)).toBe(true)
  }
})

test('a thread that is killed during a stop holds up nobody', async () => {
  for (let round = 0; round < 5; round++) {
    const server = await startThreads({ SHUTDOWN_TIMEOUT: '1h' })
    const { token } = await server.member()
    let isOver = false
    const write = () => server.call('POST', '/items/', { token, json: { title: 'written' } }).catch(failedAnswer)
    const writers = Array.from({ length: 16 }, async () => {
      while (!isOver) isOver = (await write()).status === 0
    })
    await Promise.all([write(), write(), write()])
    const closing = server.close()
    server.kill(1)
    await closing
    isOver = true
    await Promise.all(writers)
    expect(server.log.entries.filter(({ level }) => level === 'error')).toEqual([])
  }
})

test('the sockets of a killed thread close, the others stay, and the user may open as many again', async () => {
  const { token } = await skep.member()
  const open = () => openSocket(skep.url, { token })
  const sockets: TestSocket[] = []
  for (let index = 0; index < 20; index++) sockets.push(await open())
  let closed = 0
  for (const socket of sockets) void socket.closed.then(() => closed++)
  const replaced = skep.log.entries.length
  skep.kill(2)
  await skep.log.until((entry) => skep.log.entries.indexOf(entry) >= replaced && /was replaced/.test(entry.message))
  await until(() => closed > 0)
  await until(() =>
    open().then(
      (socket) => {
        sockets.push(socket)
        return true
      },
      () => false,
    ),
  )
  expect(closed).toBeLessThan(20)
  for (const socket of sockets) socket.close()
})

const failedAnswer = (): Answer<Fields> => ({ status: 0, body: {}, headers: new Headers() })

test('every thread has the settings of the program, whatever they are', async () => {
  using home = folder()
  const created = await run(['admin', 'create', 'root@example.com'], { cwd: home.path, env: embeddedOnly })
  const password = /password: (\S+)/i.exec(created.stdout)?.[1] ?? ''
  const env = { ...embeddedOnly, WORKERS: '2', BACKUP_SCHEDULE: '0 3 * * *', LOG_LEVEL: 'error' }
  await using skep = await serve({ cwd: home.path, env })
  const form = { username: 'root@example.com', password }
  const token = String((await skep.call('POST', '/auth/token', { form })).body.access_token)
  for (let n = 0; n < 8; n++) {
    const { status, body } = await skep.call('GET', '/admin/settings', { token })
    expect(status).toBe(200)
    expect(JSON.stringify(body)).toContain('0 3 * * *')
  }
})

test('the program stops with exit code 0 and leaves one database file', async () => {
  using home = folder()
  const env = { ...embeddedOnly, WORKERS: '2', DATA_DIR: join(home.path, 'data'), SHUTDOWN_TIMEOUT: '5s' }
  await using server = await serve({ cwd: home.path, env })
  await Promise.all([1, 2, 3, 4].map(() => server.call('GET', '//health')))
  server.signal('SIGTERM')
  expect(await server.exit()).toMatchObject({ code: 0, stderr: '' })
  expect(existsSync(join(home.path, 'data', 'skep.db-wal'))).toBe(false)
})

test('more than one thread is refused where threads cannot share what they need, with exit 2', async () => {
  using home = folder()
  const refusal = async (env: Readonly<Record<string, string>>) => {
    const { code, stderr } = await run(['serve'], { cwd: home.path, env: { ...embeddedOnly, WORKERS: '2', ...env } })
    expect(code).toBe(2)
    return stderr
  }
  const secret = 'x'.repeat(40)
  expect(await refusal({ DATABASE_URL: 'postgres://127.0.0.1/skep', JWT_SECRET: secret })).toContain(
    'WORKERS: threads share an embedded database; on Postgres, start several processes',
  )
  expect(await refusal({ REDIS_URL: 'redis://127.0.0.1' })).toContain('leave REDIS_URL unset')
  expect(await refusal({ WORKERS: '0' })).toContain('an integer from 1 to 64, or auto')
})
