import { describe, expect, test } from 'bun:test'
import { createMemoryAccessNotices } from '../../src/adapters/memory/access-notices.ts'
import { createAccess } from '../../src/application/access.ts'
import type { AccessNotices } from '../../src/application/ports/messaging.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { newSession as newSessionIn, sessionTokens as tokens } from '../support/sessions.ts'
import { openTestStore } from '../support/store.ts'
import { until } from '../support/until.ts'

/** The longest that a cached right may be used. */
const PROMISE_MS = 1_000

const clock = { now: () => Date.now() }
const { store } = openTestStore()
const newSession = () => newSessionIn(store)

const end = (sessionId: number) => store.write((tx) => tx.sessions.delete(sessionId))
const changeUser = (id: number, change: object) =>
  store.write(async (tx) => {
    const user = await tx.users.findById(id)
    if (user !== null) await tx.users.update({ ...user, ...change })
  })

/** Notices of which none arrives. */
const lost: AccessNotices = { lossless: false, publish() {}, subscribe() {} }

const createProcess = (notices: AccessNotices, unitOfWork: UnitOfWork = store) => {
  let elapsed = 0
  const revalidationOptions = { elapsed: () => elapsed, coalesceMs: 1 }
  const access = createAccess({ unitOfWork, accessTokens: tokens, notices, clock, revalidationOptions })
  return {
    ...access,
    elapsed: revalidationOptions.elapsed,
    /** Makes cached rights older. */
    pass(milliseconds: number) {
      elapsed += milliseconds
    },
  }
}

/** The store, with a count of what is read from it. */
const countingReads = () => {
  const counting = {
    reads: 0,
    write: store.write,
    async read<T>(work: Parameters<typeof store.read<T>>[0]) {
      const result = await store.read(work)
      counting.reads++
      return result
    },
  }
  return counting
}

describe('when notices may be lost', () => {
  test('a token in constant use is refused a second after its session ended', async () => {
    const counting = countingReads()
    const access = createProcess(lost, counting)
    const { id, token } = await newSession()
    await access.authenticate(token)
    // Far into what is revalidated again and again.
    for (let revalidated = 1; revalidated <= 5; revalidated++) {
      access.pass(PROMISE_MS / 2)
      expect(access.authenticate(token)).not.toBeInstanceOf(Promise)
      await until(() => counting.reads > revalidated)
    }
    await end(id)
    const ended = access.elapsed()
    const isAccepted = async () => {
      try {
        await access.authenticate(token)
        return true
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_token' })
        return false
      }
    }
    while (await isAccepted()) {
      expect(access.elapsed() - ended).toBeLessThanOrEqual(PROMISE_MS)
      access.pass(5)
    }
  })

  test('a token that was not used meanwhile is refused after that second', async () => {
    const access = createProcess(lost)
    const { id, token } = await newSession()
    await access.authenticate(token)
    await end(id)
    access.pass(PROMISE_MS + 1)
    await expect((async () => access.authenticate(token))()).rejects.toMatchObject({ code: 'invalid_token' })
  })

  test('a deactivated account and a changed role are detected too', async () => {
    const access = createProcess(lost)
    const [ann, bob] = [await newSession(), await newSession()]
    for (const { token } of [ann, bob]) await access.authenticate(token)
    await changeUser(ann.userId, { isActive: false })
    await changeUser(bob.userId, { role: 'admin' })
    access.pass(PROMISE_MS + 1)
    await expect((async () => access.authenticate(ann.token))()).rejects.toMatchObject({ code: 'inactive_user' })
    expect(await access.authenticate(bob.token)).toMatchObject({ role: 'admin' })
  })

  test('all tokens in use are revalidated by one read, and no request waits for it', async () => {
    const counting = countingReads()
    const access = createProcess(lost, counting)
    const sessions = await Promise.all(Array.from({ length: 200 }, newSession))
    await Promise.all(sessions.map(({ token }) => access.authenticate(token)))
    const readsBefore = counting.reads
    access.pass(500)
    for (const { token } of sessions) expect(access.authenticate(token)).not.toBeInstanceOf(Promise)
    await until(() => counting.reads > readsBefore)
    access.pass(PROMISE_MS - 400)
    for (const { token } of sessions) expect(access.authenticate(token)).not.toBeInstanceOf(Promise)
    expect(counting.reads).toBe(readsBefore + 1)
  })

  test('while the database does not respond, cached tokens expire after that second', async () => {
    let broken = false
    const access = createProcess(lost, {
      ...store,
      read: (work) => (broken ? Promise.reject(new Error('no database')) : store.read(work)),
    })
    const { token } = await newSession()
    await access.authenticate(token)
    broken = true
    access.pass(PROMISE_MS + 1)
    await expect((async () => access.authenticate(token))()).rejects.toThrow('no database')
    broken = false
    expect(await access.authenticate(token)).toMatchObject({ role: 'user' })
  })
})

test('a notice of changed rights drops the cached grants', async () => {
  const notices = createMemoryAccessNotices()
  const access = createProcess(notices)
  const { id, token, userId } = await newSession()
  await access.authenticate(token)
  const answers: unknown[] = []
  access.onRightsChange((changed) => {
    if (changed === userId) answers.push(access.authenticate(token))
  })
  const before = access.rightsChangeCount()
  await end(id)
  await notices.publish(userId)
  expect(access.rightsChangeCount()).toBe(before + 1)
  expect(answers).toHaveLength(1)
  await expect(answers[0]).rejects.toMatchObject({ code: 'invalid_token' })
})

test('expired tokens leave the cache as soon as another token is cached', async () => {
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
  const session = { userId: old.userId, sessionId: old.id, sessionCreatedAt: old.createdAt, expiresAt: now + 1 }
  await access.authenticate(await tokens.issue(session))
  expect(proofs).toBe(2)
  // Remembered, it would be refused without another look.
  await Promise.resolve(access.authenticate(old.token)).catch(() => {})
  expect(proofs).toBe(3)
})

test('if notices cannot be lost, no token is looked up twice', async () => {
  const counting = countingReads()
  const access = createProcess(createMemoryAccessNotices(), counting)
  const { token } = await newSession()
  await access.authenticate(token)
  access.pass(PROMISE_MS + 50)
  expect(access.authenticate(token)).toMatchObject({ role: 'user' })
  expect(counting.reads).toBe(1)
})

test('at most fifty tokens per user are cached, and those of others stay', async () => {
  const counting = countingReads()
  const access = createProcess(createMemoryAccessNotices(), counting)
  const [ann, bob] = [await newSession(), await newSession()]
  await access.authenticate(bob.token)
  const claims = {
    userId: ann.userId,
    sessionId: ann.id,
    sessionCreatedAt: ann.createdAt,
    expiresAt: Date.now() + 3_600_000,
  }
  const many: string[] = []
  for (let n = 0; n < 60; n++) many.push(await tokens.issue(claims))
  for (const token of many) await access.authenticate(token)
  const isRead = async (token: string) => {
    const { reads } = counting
    await access.grant(token)
    return counting.reads > reads
  }
  const read: string[] = []
  for (const token of [...many.slice(10), bob.token, many[0] ?? '']) if (await isRead(token)) read.push(token)
  expect(read).toEqual(many.slice(0, 1))
})
