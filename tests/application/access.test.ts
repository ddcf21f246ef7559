import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createAccessTokens } from '../../src/adapters/jwt/access-tokens.ts'
import { createMemoryAccessNotices } from '../../src/adapters/memory/access-notices.ts'
import { createRedisAccessNotices } from '../../src/adapters/redis/access-notices.ts'
import { createAccess } from '../../src/application/access.ts'
import type { AccessNotices } from '../../src/application/ports/messaging.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { needsRedisServer, openLink, redisServer } from '../support/redis.ts'
import { openTestStore, userNamed } from '../support/store.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(30_000)

/** The longest that what a process remembers may be trusted. */
const PROMISE_MS = 1_000

const clock = { now: () => Date.now() }
const tokens = createAccessTokens('a secret that only these tests know', clock)
const { store } = openTestStore()
let names = 0

const newSession = async () => {
  const expiresAt = Date.now() + 3_600_000
  const session = await store.write(async (tx) => {
    const user = await tx.users.insert(userNamed(`person${++names}`))
    const at = { createdAt: 1, lastUsedAt: 1, expiresAt }
    return tx.sessions.insert({ userId: user.id, device: '', address: '', ...at })
  })
  const claims = { userId: session.userId, sessionId: session.id, expiresAt }
  return { ...session, token: await tokens.issue(claims) }
}

const end = (sessionId: number) => store.write((tx) => tx.sessions.delete(sessionId))
const changeUser = (id: number, change: object) =>
  store.write(async (tx) => {
    const user = await tx.users.findById(id)
    if (user !== null) await tx.users.update({ ...user, ...change })
  })

/** Notices of which none arrives. */
const lost: AccessNotices = { complete: false, publish() {}, subscribe() {} }

const createProcess = (notices: AccessNotices, unitOfWork: UnitOfWork = store) =>
  createAccess({ unitOfWork, accessTokens: tokens, notices, clock })

/** The store, with a count of what is read from it. */
const countingReads = () => {
  const counting = {
    reads: 0,
    write: store.write,
    read: <T>(work: Parameters<typeof store.read<T>>[0]) => {
      counting.reads++
      return store.read(work)
    },
  }
  return counting
}

describe('where a notice may be lost', () => {
  test('a token in constant use is refused a second after its session ended', async () => {
    const access = createProcess(lost)
    const { id, token } = await newSession()
    await access.authenticate(token)
    const use = setInterval(async () => access.authenticate(token), 20)
    try {
      // Far into what is confirmed again and again.
      await Bun.sleep(1_500)
      await end(id)
      clearInterval(use)
      const ended = performance.now()
      for (let refused = false; !refused; ) {
        try {
          await access.authenticate(token)
          expect(performance.now() - ended).toBeLessThan(PROMISE_MS)
          await Bun.sleep(5)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_token' })
          refused = true
        }
      }
    } finally {
      clearInterval(use)
    }
  })

  test('a token that was not used meanwhile is refused after that second', async () => {
    const access = createProcess(lost)
    const { id, token } = await newSession()
    await access.authenticate(token)
    await end(id)
    await Bun.sleep(PROMISE_MS)
    await expect((async () => access.authenticate(token))()).rejects.toMatchObject({ code: 'invalid_token' })
  })

  test('a deactivated account and another role are noticed too', async () => {
    const access = createProcess(lost)
    const [ann, bob] = [await newSession(), await newSession()]
    for (const { token } of [ann, bob]) await access.authenticate(token)
    await changeUser(ann.userId, { isActive: false })
    await changeUser(bob.userId, { role: 'admin' })
    await Bun.sleep(PROMISE_MS)
    await expect((async () => access.authenticate(ann.token))()).rejects.toMatchObject({ code: 'inactive_user' })
    expect(await access.authenticate(bob.token)).toMatchObject({ role: 'admin' })
  })

  test('all tokens in use are looked up by one read, and nobody waits for it', async () => {
    const counting = countingReads()
    const access = createProcess(lost, counting)
    const sessions = await Promise.all(Array.from({ length: 200 }, newSession))
    await Promise.all(sessions.map(({ token }) => access.authenticate(token)))
    const proven = counting.reads
    await Bun.sleep(500)
    for (const { token } of sessions) expect(access.authenticate(token)).not.toBeInstanceOf(Promise)
    await until(() => counting.reads > proven)
    await Bun.sleep(PROMISE_MS - 400)
    for (const { token } of sessions) expect(access.authenticate(token)).not.toBeInstanceOf(Promise)
    expect(counting.reads).toBe(proven + 1)
  })

  test('a database that does not answer lets nobody in on what is remembered for longer than that', async () => {
    let broken = false
    const access = createProcess(lost, {
      ...store,
      read: (work) => (broken ? Promise.reject(new Error('no database')) : store.read(work)),
    })
    const { token } = await newSession()
    await access.authenticate(token)
    broken = true
    await Bun.sleep(PROMISE_MS)
    await expect((async () => access.authenticate(token))()).rejects.toThrow('no database')
    broken = false
    expect(await access.authenticate(token)).toMatchObject({ role: 'user' })
  })
})

test('what has expired is not kept: it makes room as soon as another token is remembered', async () => {
  let now = Date.now()
  let proofs = 0
  const verify = (token: string) => {
    proofs++
    return tokens.verify(token)
  }
  const accessTokens = { ...tokens, verify }
  const notices = createMemoryAccessNotices()
  const access = createAccess({ unitOfWork: store, accessTokens, notices, clock: { now: () => now } })
  const old = await newSession()
  await access.authenticate(old.token)
  now += 3_600_000
  await store.write((tx) => tx.sessions.touch({ ...old, expiresAt: now + 1, lastUsedAt: now }))
  const session = { userId: old.userId, sessionId: old.id, expiresAt: now + 1 }
  await access.authenticate(await tokens.issue(session))
  expect(proofs).toBe(2)
  // Remembered, it would be refused without another look.
  await Promise.resolve(access.authenticate(old.token)).catch(() => {})
  expect(proofs).toBe(3)
})

test('where no notice can be lost nothing is looked up twice', async () => {
  const counting = countingReads()
  const access = createProcess(createMemoryAccessNotices(), counting)
  const { token } = await newSession()
  await access.authenticate(token)
  await Bun.sleep(PROMISE_MS + 50)
  expect(access.authenticate(token)).toMatchObject({ role: 'user' })
  expect(counting.reads).toBe(1)
})

describe.skipIf(needsRedisServer !== '')(`two processes with a Redis${needsRedisServer}`, () => {
  const twoProcesses = async () => {
    const server = await redisServer()
    await server.start()
    const secret = crypto.randomUUID()
    const open = async () => {
      const proxy = await startTcpProxy(server.url)
      const { link, namespace } = openLink(proxy.url.replace('http:', 'redis:'), secret)
      const notices = createRedisAccessNotices(link, namespace)
      await link.start()
      return { proxy, link, notices, access: createProcess(notices) }
    }
    return { server, here: await open(), there: await open() }
  }

  const signedOut = async (notices: AccessNotices) => {
    const { id, userId, token } = await newSession()
    return {
      token,
      async signOut() {
        await end(id)
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

  test('it does within a second when Redis says nothing more, and nobody knows yet', async () => {
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

test('no user has more than fifty tokens remembered, and others keep theirs', async () => {
  const counting = countingReads()
  const access = createProcess(createMemoryAccessNotices(), counting)
  const [ann, bob] = [await newSession(), await newSession()]
  await access.authenticate(bob.token)
  const claims = { userId: ann.userId, sessionId: ann.id, expiresAt: Date.now() + 3_600_000 }
  const many: string[] = []
  for (let n = 0; n < 60; n++) many.push(await tokens.issue(claims))
  for (const token of many) await access.authenticate(token)
  const waits = (token: string) => access.grant(token) instanceof Promise
  expect(many.slice(10).filter(waits)).toEqual([])
  expect(waits(bob.token)).toBe(false)
  expect(waits(many[0] ?? '')).toBe(true)
})
