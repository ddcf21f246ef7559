import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createRedisAccessNotices } from '../../../src/adapters/redis/access-notices.ts'
import { createAccess } from '../../../src/application/access.ts'
import type { AccessNotices } from '../../../src/application/ports/messaging.ts'
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

const createProcess = (notices: AccessNotices) =>
  createAccess({ unitOfWork: store, accessTokens: sessionTokens, notices, clock })

describe.skipIf(needsRedisServer !== '')(`two processes with a Redis${needsRedisServer}`, () => {
  const twoProcesses = async () => {
    const server = await redisServer()
    await server.start()
    const secret = crypto.randomUUID()
    const open = async () => {
      const proxy = await startTcpProxy(server.url)
      const { connection, namespace } = openConnection(proxy.url.replace('http:', 'redis:'), secret)
      const notices = createRedisAccessNotices(connection, namespace)
      await connection.start()
      return { proxy, connection, notices, access: createProcess(notices) }
    }
    return { server, here: await open(), there: await open() }
  }

  const signedOut = async (notices: AccessNotices) => {
    const { id, userId, token } = await newSession(store)
    return {
      token,
      async signOut() {
        await store.write((tx) => tx.sessions.delete(id))
        await notices.publish(userId)
      },
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
    const { token, signOut } = await signedOut(here.notices)
    await there.access.authenticate(token)
    await signOut()
    expect(await refused(here.access, token)).toBe(true)
    await until(() => refused(there.access, token))
  })

  test.each(['the process that ends it', 'the other', 'both'])(
    'it does within a second when Redis is lost to %s',
    async (who) => {
      const { here, there } = await twoProcesses()
      const { token, signOut } = await signedOut(here.notices)
      await there.access.authenticate(token)
      if (who !== 'the other') here.proxy.cut()
      if (who !== 'the process that ends it') there.proxy.cut()
      await signOut()
      expect(await refused(here.access, token)).toBe(true)
      await Bun.sleep(PROMISE_MS)
      expect(await refused(there.access, token)).toBe(true)
      await Promise.all([here.proxy[Symbol.asyncDispose](), there.proxy[Symbol.asyncDispose]()])
    },
  )

  test('it ends within a second when Redis stops responding, before that is detected', async () => {
    const { server, here, there } = await twoProcesses()
    const { token, signOut } = await signedOut(here.notices)
    await there.access.authenticate(token)
    server.freeze()
    const published = signOut()
    await Bun.sleep(PROMISE_MS)
    expect(await refused(there.access, token)).toBe(true)
    await published
    server.thaw()
  })
})
