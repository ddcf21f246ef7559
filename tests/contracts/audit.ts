import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  audit,
  auditFailedSignIn,
  MAX_FAILURES_PER_SPAN_COUNT,
  MAX_USER_ENTRIES_PER_SPAN_COUNT,
} from '../../src/application/audit.ts'
import { type AuditQuery, createAuditLog } from '../../src/application/audit-log.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import {
  AUDIT_SPAN_MS,
  type AuditAction,
  type AuditEntry,
  type AuditFilter,
  type AuditOrigin,
  auditEntry,
  SERVER_ORIGIN,
} from '../../src/domain/audit.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { jobEvent } from '../../src/domain/event.ts'
import { newRecord } from '../../src/domain/record.ts'
import { itemEvent } from '../support/events.ts'

const ADMIN = { userId: 1, sessionId: 1, role: 'admin' } as const
const HOUR = AUDIT_SPAN_MS
/** The beginning of an hour. */
const NOW = 500_000 * HOUR

const ALL: AuditFilter = { actorId: null, action: null, subject: null, since: null, until: null }
const FIRST_PAGE: AuditQuery = {
  ...ALL,
  size: 100,
  sort: { field: 'created_at', descending: true },
  from: { page: 1 },
}

const origin = (userId: number | null, address: string | null = '192.0.2.1') => ({
  userId,
  sessionId: 7,
  requestId: 'r',
  address,
})

/** What a step of a random history adds. */
interface Step {
  readonly isEvent: boolean
  readonly actorId: number
  readonly subjectId: number
  readonly action: AuditAction
  /** Milliseconds after the step before; negative if a clock was set back. */
  readonly later: number
}

const step: fc.Arbitrary<Step> = fc.record({
  isEvent: fc.boolean(),
  actorId: fc.integer({ min: 1, max: 3 }),
  subjectId: fc.integer({ min: 1, max: 3 }),
  action: fc.constantFrom<AuditAction>('user.updated', 'user.deleted', 'record.read', 'link.created'),
  later: fc.integer({ min: -1_000, max: 5_000 }),
})

const filter: fc.Arbitrary<AuditFilter> = fc.record({
  actorId: fc.option(fc.integer({ min: 1, max: 3 })),
  action: fc.option(fc.constantFrom('user.updated', 'user.', 'record.', 'record.updated', 'nothing.')),
  subject: fc.option(fc.constantFrom('items/1', 'items/2', 'users/1')),
  since: fc.option(fc.integer({ min: NOW, max: NOW + 60_000 })),
  until: fc.option(fc.integer({ min: NOW, max: NOW + 60_000 })),
})

const isSelected = ({ actorId, action, subject, since, until }: AuditFilter) => {
  return (entry: Pick<AuditEntry, 'actorId' | 'action' | 'subject' | 'createdAt'>): boolean =>
    (actorId === null || entry.actorId === actorId) &&
    (action === null || entry.action === action || (action.endsWith('.') && entry.action.startsWith(action))) &&
    (subject === null || entry.subject === subject) &&
    (since === null || entry.createdAt >= since) &&
    (until === null || entry.createdAt <= until)
}

/** What every engine promises of the audit log. */
export const auditContract = (engine: string, open: () => Promise<Store>) => {
  const list = (store: Store, query: Partial<AuditQuery> = {}, maxScannedCount?: number) =>
    createAuditLog({ unitOfWork: store, ...(maxScannedCount !== undefined && { maxScannedCount }) }).list(ADMIN, {
      ...FIRST_PAGE,
      ...query,
    })
  const append = (
    store: Store,
    action: AuditAction,
    about: Parameters<typeof auditEntry>[2],
    actor: AuditOrigin = origin(2),
  ) => store.write((tx) => tx.audit.append(auditEntry(actor, action, about)))

  describe(`the audit log of ${engine}`, () => {
    test('has the entries of transactions that were committed, and of no others', async () => {
      const store = await open()
      await append(store, 'user.updated', { subject: 'users/2', details: { changed: 'name' }, now: NOW })
      const rolledBack = store.write(async (tx) => {
        await tx.audit.append(auditEntry(origin(2), 'user.deleted', { now: NOW }))
        throw new Error('rolled back')
      })
      await expect(rolledBack).rejects.toThrow('rolled back')
      const { items, total } = await list(store)
      expect(total).toBe(1)
      expect(items).toMatchObject([
        {
          ...{ createdAt: NOW, actorId: 2, action: 'user.updated', subject: 'users/2', address: '192.0.2.1' },
          ...{ sessionId: 7, requestId: 'r', details: { changed: 'name' }, count: 1 },
        },
      ])
    })

    test('shows changes of records from the log of changes, without their content, and no other events', async () => {
      const store = await open()
      await append(store, 'user.updated', { now: 5 })
      await store.write(async (tx) => {
        const item = await tx.records('items').insert(newRecord(ITEMS, { title: 'private' }, 1, 1))
        await tx.events.append(itemEvent('created', item, { createdAt: 9 }))
        const job = { id: 1, kind: 'mail', payload: {}, state: 'done', attempts: 1, runAt: 1, lastError: null } as const
        await tx.events.append(jobEvent('job.done', { ...job, createdAt: 1, updatedAt: 1 }, 9))
      })
      const { items } = await list(store)
      expect(items.map(({ action, subject }) => [action, subject])).toEqual([
        ['record.created', 'items/1'],
        ['user.updated', null],
      ])
      expect(JSON.stringify(items)).not.toContain('private')
    })

    test('read by cursor, in pages of any size and with any filter, has each entry once and in order', async () => {
      const run = async (steps: readonly Step[], filters: readonly AuditFilter[], size: number, scanned: number) => {
        const store = await open()
        const expected: Pick<AuditEntry, 'actorId' | 'action' | 'subject' | 'createdAt'>[] = []
        let createdAt = NOW
        for (const { isEvent, actorId, subjectId, action, later } of steps) {
          createdAt += later
          if (isEvent) {
            const record = { ...newRecord(ITEMS, { title: 'x' }, 1, 1), id: subjectId, epoch: 'e' }
            await store.write((tx) => tx.events.append(itemEvent('updated', record, { actorId, createdAt })))
            expected.push({ actorId, action: 'record.updated', subject: `items/${subjectId}`, createdAt })
          } else {
            const subject = `users/${subjectId}`
            await append(store, action, { subject, now: createdAt }, origin(actorId))
            expected.push({ actorId, action, subject, createdAt })
          }
        }
        for (const given of filters) {
          const found: AuditEntry[] = []
          let from: AuditQuery['from'] | null = { page: 1, total: false }
          while (from !== null) {
            const page: Awaited<ReturnType<typeof list>> = await list(store, { ...given, size, from }, scanned)
            found.push(...page.items)
            from = page.next && { after: page.next }
          }
          const shapeOf = ({ actorId, action, subject, createdAt }: (typeof expected)[number]) =>
            JSON.stringify([createdAt, actorId, action, subject])
          const selected = expected.filter(isSelected(given))
          expect(found.map(shapeOf).sort()).toEqual(selected.map(shapeOf).sort())
          expect(new Set(found.map(({ id }) => id)).size).toBe(found.length)
          const whole = await list(store, given)
          expect(whole.total).toBe(selected.length)
          expect(whole.items.map(({ id }) => id)).toEqual(found.map(({ id }) => id))
        }
      }
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 25 }),
          fc.array(filter, { minLength: 4, maxLength: 8 }),
          fc.integer({ min: 1, max: 7 }),
          fc.integer({ min: 1, max: 9 }),
          run,
        ),
        { numRuns: 8, ...(process.env.TEST_SEED === undefined ? {} : { seed: Number(process.env.TEST_SEED) }) },
      )
    })

    test('counts what is repeated in one entry, and has what happens once only once', async () => {
      const store = await open()
      const about = { subject: 'users/2', now: NOW }
      const entry = auditEntry(origin(null), 'sign_in.failed', about)
      await store.write((tx) => tx.audit.appendOrCount(entry, 'a'))
      await store.write((tx) => tx.audit.appendOrCount({ ...entry, createdAt: NOW + 5 }, 'a'))
      await store.write((tx) => tx.audit.appendOrCount(entry, 'b'))
      await store.write((tx) => tx.audit.appendOnce(entry, 'c'))
      await store.write((tx) => tx.audit.appendOnce(entry, 'c'))
      const { items } = await list(store)
      expect(items.map(({ count, createdAt, lastAt }) => [count, createdAt, lastAt])).toEqual([
        [1, NOW, NOW],
        [1, NOW, NOW],
        [2, NOW, NOW + 5],
      ])
    })

    test('has one entry per hour for failed sign-ins to an account from a network', async () => {
      const store = await open()
      const fail = (userId: number | null, source: string, now: number) =>
        store.write((tx) => auditFailedSignIn(tx, { userId, address: source, source, requestId: 'r', now }))
      for (const now of [NOW, NOW + 1]) await fail(2, '192.0.2.1', now)
      await fail(2, '192.0.2.2', NOW)
      await fail(null, '192.0.2.1', NOW)
      await fail(2, '192.0.2.1', NOW + HOUR)
      const { items } = await list(store)
      expect(items.map(({ subject, address, count }) => [subject, address, count])).toEqual([
        ['users/2', '192.0.2.1', 1],
        [null, '192.0.2.1', 1],
        ['users/2', '192.0.2.2', 1],
        ['users/2', '192.0.2.1', 2],
      ])
    })

    test('does not grow with the number of networks from which sign-ins fail', async () => {
      const store = await open()
      await store.write(async (tx) => {
        for (let n = 0; n < MAX_FAILURES_PER_SPAN_COUNT + 20; n++) {
          const source = `2001:db8:${n.toString(16)}::`
          await auditFailedSignIn(tx, { userId: 2, address: source, source, requestId: null, now: NOW })
        }
      })
      const { items, total } = await list(store)
      expect(total).toBe(MAX_FAILURES_PER_SPAN_COUNT + 1)
      expect(items[0]).toMatchObject({ subject: null, address: null, count: 20 })
    })

    test('combines what a user does more than a hundred times an hour, and nothing that an admin does', async () => {
      const store = await open()
      const many = MAX_USER_ENTRIES_PER_SPAN_COUNT + 10
      for (const role of ['user', 'admin'] as const) {
        const actor = { ...origin(role === 'user' ? 2 : 1), role }
        await store.write(async (tx) => {
          for (let n = 0; n < many; n++) await audit(tx, actor, 'file.created', { subject: `files/${n}`, now: NOW })
        })
      }
      const ofUser = await list(store, { actorId: 2 })
      expect(ofUser.total).toBe(MAX_USER_ENTRIES_PER_SPAN_COUNT + 1)
      expect(ofUser.items[0]).toMatchObject({ action: 'file.created', subject: null, count: 10 })
      expect((await list(store, { actorId: 1 })).total).toBe(many)
    })

    test('loses the oldest entries by their time, a limited number at once', async () => {
      const store = await open()
      for (const now of [1, 2, 3, 9]) await append(store, 'user.updated', { now })
      expect(await store.write((tx) => tx.audit.deleteBefore(4, 2))).toBe(2)
      expect(await store.write((tx) => tx.audit.deleteBefore(4, 2))).toBe(1)
      expect(await store.write((tx) => tx.audit.deleteBefore(4, 2))).toBe(0)
      expect((await list(store)).items.map(({ createdAt }) => createdAt)).toEqual([9])
    })

    test('loses the addresses of a user who is gone, and of those who tried to sign in as them', async () => {
      const store = await open()
      await append(store, 'session.started', { subject: 'users/2', now: 1 }, origin(2))
      await append(store, 'sign_in.failed', { subject: 'users/2', now: 2 }, origin(null))
      await append(store, 'user.updated', { subject: 'users/2', now: 3 }, origin(1))
      await append(store, 'settings.loaded', { now: 4 }, SERVER_ORIGIN)
      let reached: number | null = 0
      for (let rounds = 0; reached !== null && rounds < 5; rounds++) {
        const after: number = reached
        reached = await store.write((tx) => tx.audit.eraseAddresses(2, after, 1))
      }
      const { items } = await list(store)
      expect(items.map(({ action, address }) => [action, address])).toEqual([
        ['settings.loaded', null],
        ['user.updated', '192.0.2.1'],
        ['sign_in.failed', null],
        ['session.started', null],
      ])
    })
  })
}
