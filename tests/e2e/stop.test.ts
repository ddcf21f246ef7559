import { describe, expect, test } from 'bun:test'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { entriesOf, folder, type Server, serve } from '../support/process.ts'
import { embeddedOnly } from '../support/stack.ts'
import { until } from '../support/until.ts'
import { openConnection } from './connection.ts'

const PERSON = { email: 'ann@example.com', name: 'Ann', password: 'correct horse' }
const SIGN_IN = new URLSearchParams({ username: PERSON.email, password: PERSON.password }).toString()

const register = async (skep: Server) => {
  expect((await skep.call('POST', '/users/', { json: PERSON })).status).toBe(201)
}

const SIGN_IN_HEAD =
  'POST /api/v1/auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n' +
  `Content-Length: ${SIGN_IN.length}\r\nExpect: 100-continue\r\n\r\n`

/** What the server says once it has the head. */
const STATUS_CONTINUE = 100

/** A sign-in of which the server has seen the head and half the body; `finish` sends the rest and reads the status. */
const startSignIn = async (skep: Server) => {
  const connection = await openConnection(skep.url)
  connection.send(SIGN_IN_HEAD + SIGN_IN.slice(0, 9))
  expect(await connection.status()).toBe(STATUS_CONTINUE)
  return {
    connection,
    finish: () => {
      connection.send(SIGN_IN.slice(9))
      return connection.status()
    },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  }
}

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  test('ends an idle server with 0', async () => {
    using home = folder()
    await using skep = await serve({ cwd: home.path })
    skep.signal(signal)
    expect(await skep.exit()).toMatchObject({ code: 0, signal: null, stderr: '' })
  })

  test('lets sign-ins that wait for their turn finish', async () => {
    using home = folder()
    await using skep = await serve({ cwd: home.path })
    await register(skep)
    const waiting = await Promise.all(Array.from({ length: 16 }, () => openConnection(skep.url)))
    for (const connection of waiting) connection.send(SIGN_IN_HEAD + SIGN_IN)
    expect(await Promise.all(waiting.map((connection) => connection.status()))).toEqual(
      waiting.map(() => STATUS_CONTINUE),
    )
    skep.signal(signal)
    expect(await Promise.all(waiting.map((connection) => connection.status()))).toEqual(waiting.map(() => 200))
    const { code, stdout } = await skep.exit()
    expect(code).toBe(0)
    expect(entriesOf(stdout).filter(({ route }) => route === '/api/v1/auth/token')).toHaveLength(waiting.length)
  })

  test('lets a request finish whose body is still coming', async () => {
    using home = folder()
    await using skep = await serve({ cwd: home.path })
    await register(skep)
    using request = await startSignIn(skep)
    skep.signal(signal)
    await skep.stdout.match(/"stopping"/)
    expect(await request.finish()).toBe(200)
    expect((await skep.exit()).code).toBe(0)
  })

  test('leaves everything in the database file, and no write-ahead log', async () => {
    using home = folder()
    await using skep = await serve({ cwd: home.path, env: embeddedOnly })
    await register(skep)
    const log = join(skep.dataDir, 'skep.db-wal')
    expect(existsSync(log)).toBeTrue()
    skep.signal(signal)
    await skep.exit()
    expect(existsSync(log) ? statSync(log).size : 0).toBe(0)
  })
})

test('during a stop an open connection gets 503 from readiness or is closed', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  await register(skep)
  using idle = await openConnection(skep.url)
  expect(await idle.get('/health/ready')).toBe(200)
  using first = await startSignIn(skep)
  using second = await startSignIn(skep)
  skep.signal('SIGTERM')
  await skep.stdout.match(/"stopping"/)
  expect([503, null]).toContain(await idle.get('/health/ready'))
  expect(await first.finish()).toBe(200)
  expect([503, null]).toContain(await first.connection.get('/health/ready'))
  expect(await second.finish()).toBe(200)
})

test('during a stop no new connection is accepted', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  using _request = await startSignIn(skep)
  skep.signal('SIGTERM')
  await skep.stdout.match(/"stopping"/)
  const isRefused = async () => {
    try {
      using _open = await openConnection(skep.url)
      return false
    } catch {
      return true
    }
  }
  // Threads learn of it a moment later than the log.
  await until(isRefused)
})

test('a request that never ends is cut after SHUTDOWN_TIMEOUT, and the exit is still 0', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path, env: { SHUTDOWN_TIMEOUT: '1s' } })
  using _request = await startSignIn(skep)
  skep.signal('SIGTERM')
  expect((await skep.exit()).code).toBe(0)
})

test('an idle connection does not delay a stop', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  using open = await openConnection(skep.url)
  expect(await open.get('/health')).toBe(200)
  skep.signal('SIGTERM')
  expect((await skep.exit()).code).toBe(0)
})

test.each([
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGINT'],
  ['SIGTERM', 'SIGINT'],
  ['SIGINT', 'SIGTERM'],
] as const)('%s, then %s: the second ends it at once, whatever is still running', async (first, second) => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  using _request = await startSignIn(skep)
  skep.signal(first)
  await skep.stdout.match(/"stopping"/)
  skep.signal(second)
  expect((await skep.exit()).code).toBe(1)
})

test('the data folder is free again after a stop', async () => {
  using home = folder()
  await using first = await serve({ cwd: home.path })
  first.signal('SIGTERM')
  await first.exit()
  await using second = await serve({ cwd: home.path })
  expect((await second.call('GET', '//health/ready')).status).toBe(200)
})
