import { describe, expect, test } from 'bun:test'
import { createOpaqueTokens } from '../../../src/adapters/bun/opaque-tokens.ts'
import { NO_RESERVE } from '../../../src/adapters/fs/reserve.ts'
import { applyPatch } from '../../../src/adapters/json-patch/patch.ts'
import { createAccessTokens } from '../../../src/adapters/jwt/access-tokens.ts'
import { createMemoryAccessNotices } from '../../../src/adapters/memory/access-notices.ts'
import { createMemoryRateLimiter } from '../../../src/adapters/memory/rate-limiter.ts'
import { createAccounts } from '../../../src/application/accounts.ts'
import { createAttempts } from '../../../src/application/attempts.ts'
import type { UnitOfWork } from '../../../src/application/ports/persistence.ts'
import { createRecords } from '../../../src/application/records.ts'
import { createSessions } from '../../../src/application/sessions.ts'
import { createTokens } from '../../../src/application/tokens.ts'
import { createUsers, type Users } from '../../../src/application/users.ts'
import { AppError } from '../../../src/domain/errors.ts'
import type { Caller } from '../../../src/domain/session.ts'
import { recordUnitsOn } from '../../support/collections.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { userNamed } from '../../support/store.ts'

const clock = { now: () => Date.now() }
const passwords = { hash: async (password: string) => password, verify: async () => true }
const ROUNDS_COUNT = 5
const VISITOR = { userId: null, requestId: 'test', address: '' }

const open = async () => {
  const { store } = await openTestPostgres()
  const units = { begun: 0, run: 0 }
  const unitOfWork: UnitOfWork = {
    read: store.read,
    write(work) {
      units.begun++
      return store.write((tx) => {
        units.run++
        return work(tx)
      })
    },
  }
  const notices = createMemoryAccessNotices()
  const attempts = createAttempts(createMemoryRateLimiter(clock), 'off', store)
  const ttl = { accessTtlMs: 60_000, refreshTtlMs: 60_000 }
  const opaqueTokens = createOpaqueTokens('a secret that only these tests know')
  const accessTokens = createAccessTokens('a secret that only these tests know', clock)
  const deps = {
    ...recordUnitsOn(unitOfWork, clock),
    unitOfWork,
    notices,
    attempts,
    opaqueTokens,
    accessTokens,
    passwords,
    clock,
    ...ttl,
  }
  let names = 0
  const person = async (role: 'user' | 'admin', devices = 1) => {
    const password = `password${++names}`
    const user = await store.write((tx) => tx.users.insert({ ...userNamed(password), role, passwordHash: password }))
    const signIn = async () => {
      const origin = { device: '', address: '' }
      const { accessToken, refreshToken } = await tokens.signIn({
        username: user.email,
        password,
        origin,
        requestId: 'test',
      })
      const claims = await accessTokens.verify(accessToken)
      return {
        actor: { userId: user.id, sessionId: claims?.sessionId ?? 0, role, requestId: 'test', address: '' },
        accessToken,
        refreshToken,
      }
    }
    const signedIn = []
    for (let n = 0; n < devices; n++) signedIn.push(await signIn())
    return signedIn
  }
  const tokens = createTokens(deps)
  return {
    store,
    units,
    person,
    tokens,
    opaqueTokens,
    accounts: createAccounts(deps),
    records: createRecords({ ...deps, applyPatch, maxRecordBytes: 65_536 }),
    sessions: createSessions(deps),
    users: createUsers({ ...deps, signup: 'open', reserve: NO_RESERVE }),
  }
}

/** What each answered: `done`, or the code it was refused with. */
const codes = async (work: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(work)).map((result) => {
    if (result.status === 'fulfilled') return 'done'
    return result.reason instanceof AppError ? result.reason.code : String(result.reason)
  })

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('a session that several requests end at once ends without one of them running twice', async () => {
    const { person, sessions, tokens, units } = await open()
    for (let round = 0; round < ROUNDS_COUNT; round++) {
      const [one] = await person('user')
      if (one === undefined) throw new Error('nobody')
      const { actor, accessToken } = one
      const ended = await codes([
        sessions.end(actor, actor.sessionId),
        sessions.endAll(actor),
        sessions.end(actor, actor.sessionId),
        tokens.revoke(accessToken, VISITOR),
        sessions.endAll(actor),
      ])
      expect(ended.filter((code) => code !== 'invalid_token').length).toBeGreaterThan(0)
      expect(new Set(ended).difference(new Set(['done', 'invalid_token']))).toEqual(new Set())
    }
    expect(units.run).toBe(units.begun)
  })

  test('of two devices that end all sessions at once, one succeeds, without running twice', async () => {
    const { person, sessions, units } = await open()
    for (let round = 0; round < ROUNDS_COUNT; round++) {
      const devices = await person('user', 3)
      const ended = await codes(devices.map(({ actor }) => sessions.endAll(actor)))
      expect(ended.sort()).toEqual(['done', 'invalid_token', 'invalid_token'])
    }
    expect(units.run).toBe(units.begun)
  })

  test('a session that is refreshed while it is ended is refreshed before, or not at all', async () => {
    const { person, sessions, tokens, units } = await open()
    for (let round = 0; round < 4 * ROUNDS_COUNT; round++) {
      const [one] = await person('user')
      if (one === undefined) throw new Error('nobody')
      const { actor, refreshToken } = one
      const refresh = () => tokens.refresh({ refreshToken, address: '', requestId: 'test' })
      const answers = await codes([refresh(), sessions.endAll(actor), refresh(), tokens.revoke(refreshToken, VISITOR)])
      expect(new Set(answers).difference(new Set(['done', 'invalid_grant', 'invalid_token']))).toEqual(new Set())
      expect(await codes([refresh()])).toEqual(['invalid_grant'])
    }
    expect(units.run).toBe(units.begun)
  })

  test('concurrent change and removal of an account wait for each other, and none runs twice', async () => {
    const { person, users, sessions, units } = await open()
    for (let round = 0; round < ROUNDS_COUNT; round++) {
      const [one, two] = await person('user', 2)
      if (one === undefined || two === undefined) throw new Error('nobody')
      const change = { currentPassword: '', newPassword: 'another' }
      const answers = await codes([
        users.update(two.actor, one.actor.userId, { name: 'two' }),
        users.changePassword(one.actor, change, false),
        sessions.end(two.actor, one.actor.sessionId),
        users.update(one.actor, one.actor.userId, { name: 'one' }),
        users.remove(one.actor, one.actor.userId, ''),
        users.remove(two.actor, one.actor.userId, ''),
      ])
      const known = ['done', 'invalid_token', 'not_found', 'wrong_password']
      expect(new Set(answers).difference(new Set(known))).toEqual(new Set())
    }
    expect(units.run).toBe(units.begun)
  })

  test('the use of a mailed link waits for a concurrent change of its account, and none runs twice', async () => {
    const { store, person, users, accounts, opaqueTokens, units } = await open()
    for (let round = 0; round < 4 * ROUNDS_COUNT; round++) {
      const [one] = await person('user')
      if (one === undefined) throw new Error('nobody')
      const { userId } = one.actor
      const link = `link${round}`
      await store.write((tx) =>
        tx.mailTokens.put({
          userId,
          purpose: 'verify',
          email: `${link}@example.com`,
          nonce: link,
          hash: opaqueTokens.hash(link),
          expiresAt: clock.now() + 60_000,
        }),
      )
      const answers = await codes([
        users.changePassword(one.actor, { currentPassword: '', newPassword: 'another' }, true),
        accounts.verifyEmail(link, VISITOR),
        users.remove(one.actor, userId, ''),
        accounts.verifyEmail(link, VISITOR),
      ])
      const known = ['done', 'invalid_token', 'invalid_link', 'not_found', 'wrong_password']
      expect(new Set(answers).difference(new Set(known))).toEqual(new Set())
    }
    expect(units.run).toBe(units.begun)
  })

  test('batches that change the same items in different orders wait, and none runs twice', async () => {
    const { person, records, units } = await open()
    const [one] = await person('user')
    if (one === undefined) throw new Error('nobody')
    const actor = { ...one.actor, requestId: 'test' }
    const draft = { title: 'one', description: null, data: {} }
    const made = await records.batch(actor, Array(10).fill({ collection: 'items', op: 'create', draft }), null)
    const ids = 'result' in made ? made.result.map((item) => item?.record.id ?? 0) : []
    const update = (title: string) => (id: number) =>
      ({ collection: 'items', op: 'update', id, patch: { title }, expected: null }) as const
    const batches = [ids, ids.toReversed(), ids, ids.toReversed()]
    const answers = await codes(batches.map((order, n) => records.batch(actor, order.map(update(`${n}`)), null)))
    expect(answers).toEqual(['done', 'done', 'done', 'done'])
    expect((await records.get(actor, 'items', ids[0] ?? 0)).record.version).toBe(5)
    expect(units.run).toBe(units.begun)
  })

  /** Two admins, beside a third, do the same to each other; what they were answered, round after round. */
  const toEachOther = async (act: (users: Users, actor: Caller, id: number) => Promise<unknown>) => {
    const { person, users, units } = await open()
    await person('admin')
    const answers: string[][] = []
    for (let round = 0; round < ROUNDS_COUNT; round++) {
      const [[one], [two]] = [await person('admin'), await person('admin')]
      if (one === undefined || two === undefined) throw new Error('nobody')
      const both = [act(users, one.actor, two.actor.userId), act(users, two.actor, one.actor.userId)]
      answers.push((await codes(both)).sort())
    }
    expect(units.run).toBe(units.begun)
    return answers
  }

  test('of two admins that demote each other, one succeeds, without running twice', async () => {
    const answers = await toEachOther((users, actor, id) => users.update(actor, id, { role: 'user' }))
    expect(answers).toEqual(Array(ROUNDS_COUNT).fill(['done', 'forbidden']))
  })

  test('of two admins that remove each other, one succeeds, without running twice', async () => {
    const answers = await toEachOther((users, actor, id) => users.remove(actor, id))
    expect(answers).toEqual(Array(ROUNDS_COUNT).fill(['done', 'invalid_token']))
  })
})
