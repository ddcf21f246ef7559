import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { entriesOf, folder, residentMemory, type Server, serve } from '../support/process.ts'
import { openSocket } from '../support/socket.ts'
import { until } from '../support/until.ts'
import { END, MULTIPART, part } from '../support/uploads.ts'
import { encodeFrame, OPCODE, openWire } from '../support/wire.ts'
import { openConnection } from './connection.ts'
import { crowd, flood, json, offer, request, statusesOf, waitsSaid } from './crowd.ts'

const BYTES_PER_MB = 1_048_576
const PASSWORD = 'correct horse'
const noProc = !existsSync('/proc/self/status')

/** A server with a folder of its own; both are gone at the end of the scope that holds it by `await using`. */
const start = async (env: Readonly<Record<string, string>> = {}): Promise<Server> => {
  const home = folder()
  const skep = await serve({
    cwd: home.path,
    env: { LOG_LEVEL: 'warn', LOG_FORMAT: 'json', UPLOAD_TYPES: '*/*', ...env },
  })
  return {
    ...skep,
    async [Symbol.asyncDispose]() {
      await skep[Symbol.asyncDispose]()
      home[Symbol.dispose]()
    },
  }
}

const register = async (skep: Server, email: string) => {
  await skep.call('POST', '/users/', { json: { email, name: 'Ann', password: PASSWORD } })
  return signIn(skep, email)
}

const signIn = async (skep: Server, email: string): Promise<string> => {
  const form = { username: email, password: PASSWORD }
  const { body } = await skep.call<{ access_token: string }>('POST', '/auth/token', { form })
  return body.access_token
}

const errorsOf = (skep: Server) =>
  entriesOf(skep.stdout.text()).filter(({ level, msg }) => level === 'error' || msg === 'request failed')

const expectWorking = async (skep: Server, token: string) => {
  expect((await skep.call('GET', '//health')).status).toBe(200)
  const created = await skep.call<{ id: number }>('POST', '/items/', { token, json: { title: 'as ever' } })
  expect(created.status).toBe(201)
  expect((await skep.call('GET', `/items/${created.body.id}`, { token })).status).toBe(200)
  expect((await skep.call('GET', '//health/ready')).status).toBe(200)
}

test('with more sign-ins than can be checked, some succeed and the others get 503 with Retry-After', async () => {
  await using skep = await start()
  const token = await register(skep, 'ann@example.com')
  using people = await crowd(skep.url, 500)
  const form = `username=ann%40example.com&password=${encodeURIComponent(PASSWORD)}`
  const headers = `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n`
  const answers = flood(people.all, [`POST /api/v1/auth/token HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n${form}`])
  const first = await Promise.race([answers, skep.call('GET', '/users/me', { token })])
  expect(first).toMatchObject({ status: 200 })

  const all = await answers
  expect([...statusesOf(all)].sort()).toEqual([200, 503])
  for (const wait of waitsSaid(all, 503)) expect(wait).toBeGreaterThan(0)
  expect(await signIn(skep, 'ann@example.com')).toBeString()
  expect(errorsOf(skep)).toEqual([])
})

describe('a flood of requests', () => {
  const changes = json({ title: 'one of many', description: 'x'.repeat(1_000) })
  const requestsOf = (reader: string, writer = reader) =>
    Array.from({ length: 10 }, () => [
      request('POST', '/items/', writer, ...changes),
      request('GET', '/users/me', reader),
      request('GET', '/items/?size=5', reader),
    ]).flat()

  test.skipIf(noProc)(
    'of twice what is sustained is done or refused, at no higher cost, and nothing is lost',
    async () => {
      await using skep = await start()
      // Whose list grows is not who reads, so that each request costs what the one before did.
      const [ann, bob] = [await register(skep, 'ann@example.com'), await register(skep, 'bob@example.com')]
      const requests = requestsOf(ann, bob)
      using few = await crowd(skep.url, 50)
      const before = residentMemory(skep.pid)
      let peak = before
      const watch = setInterval(() => {
        peak = Math.max(peak, residentMemory(skep.pid))
      }, 20)
      const warmingUp = await offer(skep, few.all, requests, { count: 1_500 })
      const sustained = await offer(skep, few.all, requests, { count: 3_000 })
      // Not before: the server closes what nobody uses.
      using many = await crowd(skep.url, 300)
      const overload = await offer(skep, many.all, requests, { count: 6_000, perSecond: 2 * sustained.perSecond })
      clearInterval(watch)

      const answers = [warmingUp, sustained, overload].flatMap((each) => each.answers)
      expect(answers).toHaveLength(10_500)
      for (const status of statusesOf(answers)) expect([200, 201, 429, 503]).toContain(status)
      for (const wait of [429, 503].flatMap((status) => waitsSaid(answers, status))) expect(wait).toBeGreaterThan(0)
      // As much as is sustained is a half of what was offered: at least half of that is done, the rest may be refused.
      expect(overload.succeeded).toBeGreaterThanOrEqual(6_000 / 2 / 2)
      // By the processor's time, whatever else the machine does: half as many a second would cost twice as much each.
      expect(overload.cost).toBeLessThan(2 * sustained.cost)
      expect(peak - before).toBeLessThan(256 * BYTES_PER_MB)

      const acknowledged = answers.filter((answer) => answer?.status === 201).length
      const kept = await skep.call<{ total: number }>('GET', '/items/?size=1', { token: bob })
      expect(kept.body.total).toBe(acknowledged)
      await expectWorking(skep, ann)
      expect(errorsOf(skep)).toEqual([])
    },
    // A hang is what this catches, not a machine that has little time.
    120_000,
  )

  test('past the limit gets Retry-After and takes nothing from others', async () => {
    await using skep = await start({ RATE_LIMIT: '200/1m' })
    const [ann, bob] = [await register(skep, 'ann@example.com'), await register(skep, 'bob@example.com')]
    using people = await crowd(skep.url, 100)
    const answers = await flood(people.all, requestsOf(ann))
    expect([...statusesOf(answers)].sort()).toEqual([200, 201, 429])
    expect(waitsSaid(answers, 429)).toHaveLength(3_000 - 200)
    for (const wait of waitsSaid(answers, 429)) expect(wait).toBeGreaterThan(0)
    await expectWorking(skep, bob)
  })
})

describe.concurrent('slow clients', () => {
  test.skipIf(noProc)('that never finish a message take no more memory than they have sent', async () => {
    await using skep = await start()
    const before = residentMemory(skep.pid)
    const wires = await Promise.all(Array.from({ length: 300 }, () => openWire(skep.url)))
    const first = encodeFrame({ opcode: OPCODE.text, payload: new Uint8Array(50_000), fin: false })
    const announced = encodeFrame({ opcode: OPCODE.continuation, payload: new Uint8Array(1_000), length: 15_000n })
    for (const wire of wires) wire.send(Buffer.concat([first, announced]))
    const hello = await openWire(skep.url)
    hello.send(encodeFrame({ opcode: OPCODE.text, payload: new TextEncoder().encode('hello') }))
    await hello.received(1)
    expect(residentMemory(skep.pid) - before).toBeLessThan(128 * BYTES_PER_MB)
    // Nobody signed in.
    expect(await Promise.all(wires.map(({ ended }) => ended))).toEqual(wires.map(() => 4401))
  })

  test('do not delay others, and are disconnected when they do not send in time', async () => {
    using files = folder()
    await using skep = await start({ MAX_UPLOAD_SIZE: '20mb', FILES_URL: `file:${files.path}` })
    const [ann, bob] = [await register(skep, 'ann@example.com'), await register(skep, 'bob@example.com')]
    await using neighbour = await openSocket(skep.url, { token: bob })
    await neighbour.subscribe('items')
    const items = Array.from({ length: 60 }, () => ({ op: 'create', title: 'long', description: 'x'.repeat(10_000) }))
    await skep.call('POST', '/items/batch', { token: ann, json: { operations: items } })
    const large = part('name="file"; filename="large.bin"', new Uint8Array(8 * BYTES_PER_MB))
    const uploaded = await skep.call<{ id: number }>('POST', '/files/', {
      token: ann,
      body: new Uint8Array(Buffer.concat([large, END])),
      headers: { 'content-type': MULTIPART },
    })
    expect(uploaded.status).toBe(201)

    using senders = await crowd(skep.url, 350)
    using readers = await crowd(skep.url, 80)
    const chunked = 'Transfer-Encoding: chunked\r\n'
    const begun = part('name="file"; filename="slow.bin"', 'x'.repeat(5_000)).toString('latin1')
    const uploading = `Content-Type: ${MULTIPART}\r\nContent-Length: 1000000\r\n`
    const [announced] = json({ title: 'x'.repeat(100) })
    const slow: readonly { readonly first: string; readonly next: string }[] = [
      { first: '', next: '' },
      { first: 'GET /health HTTP/1.1\r\n', next: 'X: y\r\n' },
      { first: request('POST', '/items/', ann, announced), next: ' ' },
      { first: request('POST', '/items/', ann, `Content-Type: application/json\r\n${chunked}`), next: '1\r\n \r\n' },
      { first: request('POST', '/items/', 'of nobody', announced), next: ' ' },
      { first: request('POST', '/files/', ann, uploading), next: '' },
      { first: request('POST', '/files/', ann, uploading, begun), next: 'x' },
    ]
    const kindOf = (index: number) => slow[index % slow.length] ?? { first: '', next: '' }
    for (const [index, sender] of senders.all.entries()) sender.send(kindOf(index).first)
    const trickle = setInterval(() => {
      for (const [index, sender] of senders.all.entries()) sender.send(kindOf(index).next)
    }, 1_000)
    for (const [index, reader] of readers.all.entries()) {
      const path = index % 2 === 0 ? `/files/${uploaded.body.id}/content` : '/items/?size=100'
      reader.pause()
      reader.send(request('GET', path, ann))
    }

    try {
      const gone = Promise.all(senders.all.map(({ closed }) => closed)).then(() => true)
      let over = false
      for (let round = 0; !over; round++) {
        await expectWorking(skep, bob)
        await neighbour.until(() => neighbour.events().length === round + 1)
        over = await Promise.race([gone, Bun.sleep(1_000).then(() => false)])
      }
    } finally {
      clearInterval(trickle)
    }
    expect((await skep.call<{ total: number }>('GET', '/files/', { token: ann })).body.total).toBe(1)
    const begunUploads = () => readdirSync(files.path, { recursive: true }).filter((name) => /part$/.test(String(name)))
    await until(() => begunUploads().length === 0)
    expect(errorsOf(skep)).toEqual([])
  }, 50_000)
})

test.skipIf(noProc || Bun.which('prlimit') === null)(
  'a server out of file descriptors goes on, and is well as soon as there are some',
  async () => {
    // An S3 that it is connected to needs no more of them.
    using files = folder()
    await using skep = await start({ FILES_URL: `file:${files.path}` })
    const token = await register(skep, 'ann@example.com')
    const file = Buffer.concat([part('name="file"; filename="a.bin"', 'content'), END]).toString('latin1')
    const headers = `Content-Type: ${MULTIPART}\r\nContent-Length: ${file.length}\r\n`
    using mine = await openConnection(skep.url)
    // Run from source, the module that detects types is read from the disk at the first upload to a thread.
    mine.send(request('POST', '/files/', token, headers, file))
    expect(await mine.status()).toBe(201)
    const open = () => readdirSync(`/proc/${skep.pid}/fd`).length
    const most = open() + 40
    const limited = Bun.spawnSync(['prlimit', '--pid', String(skep.pid), `--nofile=${most}:${most}`])
    expect(limited.success).toBe(true)
    {
      using _ = await crowd(skep.url, 200)
      await until(() => open() >= most)
      expect(await mine.get('/health')).toBe(200)
      mine.send(request('GET', '/users/me', token))
      expect(await mine.status()).toBe(200)
      mine.send(request('POST', '/files/', token, headers, file))
      const refused = await mine.answer()
      expect(refused?.status).toBe(503)
      expect(Number(refused?.header('retry-after'))).toBeGreaterThan(0)
    }
    await expectWorking(skep, token)
    mine.send(request('POST', '/files/', token, headers, file))
    expect(await mine.status()).toBe(201)
    expect(errorsOf(skep)).toEqual([])
  },
)
