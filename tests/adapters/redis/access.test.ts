import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createRedisAccessNotices } from '../../../src/adapters/redis/access-notices.ts'
import { createAccess } from '../../../src/application/access.ts'
import type { AccessNotices } from '../../../src/application/ports/messaging.ts'
import { SYSTEM_REVALIDATION_OPTIONS } from '../../../src/application/revalidation.ts'
import { needsRedisServer, openConnection, redisServer } from '../../support/redis.ts'
import { newSession, sessionTokens } from '../../support/sessions.ts'
import { openTestStore } from '../../support/store.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(30_000)

/** The longest that a cached right may be used. */
const PROMISE_MS = 1_000

const clock = { now: () => Date.now() }
const { store } = openTestStore()

const createProcess = (notices: AccessNotices, elapsed: () => number) =>
  createAccess({
    unitOfWork: store,
    accessTokens: sessionTokens,
    notices,
    clock,
    revalidationOptions: { ...SYSTEM_REVALIDATION_OPTIONS, elapsed },
  })

describe.skipIf(needsRedisServer !== '')(`two processes with a Redis${needsRedisServer}`, () => {
  const twoProcesses = async () => {
    const server = await redisServer()
    await server.start()
    const secret = crypto.randomUUID()
    let passedMs = 0
    const elapsed = () => performance.now() + passedMs
    const open = async () => {
      const proxy = await startTcpProxy(server.url)
      const { connection, namespace } = openConnection(proxy.url.replace('http:', 'redis:'), secret)
      const notices = createRedisAccessNotices(connection, namespace)
      await connection.start()
      return { proxy, connection, notices, access: createProcess(notices, elapsed) }
    }
    const pass = (milliseconds: number) => {
      passedMs += milliseconds
    }
    return { server, here: await open(), there: await open(), pass }
  }

  const openSession = async (notices: AccessNotices) => {
    const { id, userId, token } = await newSession(store)
    return {
      token,
      end: () => store.write((tx) => tx.sessions.delete(id)),
      publish: () => notices.publish(userId),
    }
  }

  const refused = async (access: ReturnType<typeof createAccess>, token: string) => {
    try {
      await access.authenticate(token)
      return false
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_token' })
      return true
    }
  }

  test('a session that ends in one ends in the other', async () => {
    const { here, there } = await twoProcesses()
    const { token, end, publish } = await openSession(here.notices)
    await there.access.authenticate(token)
    await end()
    await publish()
    expect(await refused(here.access, token)).toBe(true)
    await until(() => refused(there.access, token))
  })

  test.each(['the process that ends it', 'the other', 'both'])(
    'it does within a second when Redis is lost to %s',
    async (who) => {
      const { here, there, pass } = await twoProcesses()
      const { token, end, publish } = await openSession(here.notices)
      await there.access.authenticate(token)
      if (who !== 'the other') here.proxy.cut()
      if (who !== 'the process that ends it') there.proxy.cut()
      await end()
      await publish()
      expect(await refused(here.access, token)).toBe(true)
      pass(PROMISE_MS)
      expect(await refused(there.access, token)).toBe(true)
      await Promise.all([here.proxy[Symbol.asyncDispose](), there.proxy[Symbol.asyncDispose]()])
    },
  )

  test('it ends within a second when Redis stops responding, before that is detected', async () => {
    const { server, here, there, pass } = await twoProcesses()
    const { token, end, publish } = await openSession(here.notices)
    await there.access.authenticate(token)
    server.freeze()
    await end()
    const published = publish()
    pass(PROMISE_MS)
    expect(await refused(there.access, token)).toBe(true)
    await published
    server.thaw()
  })
})
