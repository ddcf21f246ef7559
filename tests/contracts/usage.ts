import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Store, Tx } from '../../src/application/ports/persistence.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { newRecord, type StoredRecord } from '../../src/domain/record.ts'
import { itemEvent, readEvents } from '../support/events.ts'
import { runsOf } from '../support/runs.ts'
import { userNamed } from '../support/store.ts'

interface Harness {
  readonly store: Store
  /** What a newcomer with a connection of their own sees. */
  readonly outside: <Row>(sql: string) => Row[] | Promise<Row[]>
}

type Open = (quotaBytes?: number) => Promise<Harness>

/** The rows that a migration makes of what was there before. */
const countedIn = (migration: string): string => {
  const found = /SELECT user_id, sum\(bytes\)[^;]+/.exec(migration)?.[0]
  if (found === undefined) throw new Error('the migration counts nothing')
  return found.replace('sum(bytes)', 'sum(bytes) AS bytes')
}

const QUOTA_BYTES = 20_000

const code = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  )

let names = 0
const makeUser = async (store: Store): Promise<number> =>
  (await store.write((tx) => tx.users.insert(userNamed(`user-${++names}`)))).id

const used = (store: Store, userId: number) => store.read((tx) => tx.usage.bytesOf(userId))

const insert = async (tx: Tx, ownerId: number, description: string, data: JsonObject = {}): Promise<StoredRecord> => {
  const item = await tx.records('items').insert(newRecord(ITEMS, { title: 'Öl', description, data }, ownerId, 1))
  await tx.events.append(itemEvent('created', item, { actorId: ownerId, createdAt: item.createdAt }))
  return item
}

const remove = async (tx: Tx, item: StoredRecord): Promise<void> => {
  await tx.records('items').delete(item.id)
  await tx.events.append(itemEvent('deleted', item, { actorId: item.ownerId, createdAt: 2 }))
}

let blobs = 0
const insertFile = (tx: Tx, ownerId: number, size: number) =>
  tx.files.insert({
    ownerId,
    filename: 'a',
    contentType: 'text/plain',
    size,
    sha256: 'x',
    blobKey: `${++blobs}`,
    createdAt: 1,
  })

const answerOf = (body: string) => ({ status: 201, headers: {}, body })

const putAnswer = (tx: Tx, userId: number, key: string, body: string, createdAt: number) =>
  tx.idempotency.put({
    userId,
    route: 'r',
    key,
    fingerprint: new Uint8Array(32),
    response: answerOf(body),
    role: 'user',
    createdAt,
  })

const KINDS = ['insert', 'update', 'delete', 'upload', 'unlink', 'answer', 'clean', 'forget', 'erase'] as const

interface Step {
  readonly kind: (typeof KINDS)[number]
  readonly owner: number
  readonly at: number
  readonly text: string
}

interface Unit {
  readonly steps: readonly Step[]
  readonly fails: boolean
}

const eraseAll = async (tx: Tx, ownerId: number): Promise<void> => {
  let reached = await tx.events.eraseOwned(ownerId, null, 2)
  while (reached !== null) reached = await tx.events.eraseOwned(ownerId, reached, 2)
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  owner: fc.nat(1),
  at: fc.nat(9),
  text: fc.string({ unit: 'grapheme', maxLength: 400 }),
})

const unit: fc.Arbitrary<Unit> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 4 }),
  fails: fc.nat(3).map((n) => n === 3),
})

/** SQLite gives the id of an item that was rolled back to the next item, which is of another owner here. */
const REUSED_ID: Unit[] = [
  { steps: [{ kind: 'insert', owner: 0, at: 0, text: '' }], fails: true },
  { steps: [{ kind: 'insert', owner: 1, at: 0, text: '' }], fails: false },
  { steps: [{ kind: 'update', owner: 0, at: 0, text: 'longer' }], fails: false },
]

/** Postgres has not given the event a position yet. */
const ERASED_AT_ONCE: Unit[] = [
  {
    steps: [
      { kind: 'insert', owner: 0, at: 0, text: '' },
      { kind: 'erase', owner: 0, at: 0, text: '' },
    ],
    fails: false,
  },
]

const oneOf = <T>(all: readonly T[], at: number): T | undefined => all[at % all.length]

/** What every engine promises of what it counts, and of the quota. `migration` is the one that began to count. */
export const usageContract = (engine: string, open: Open, migration: string) => {
  describe(`the usage of ${engine}`, () => {
    test('equals the size of the stored rows, after any writes, rollbacks and clean-ups', async () => {
      const { store, outside } = await open()
      await fc.assert(
        fc.asyncProperty(fc.array(unit, { minLength: 3, maxLength: 20 }), async (units) => {
          const owners = [await makeUser(store), await makeUser(store)]
          const items: StoredRecord[] = []
          const files: number[] = []
          const perform = async (tx: Tx, { kind, owner, at, text }: Step) => {
            const userId = owners[owner] ?? 0
            const item = oneOf(items, at)
            if (kind === 'insert') items.push(await insert(tx, userId, text, { text }))
            else if (kind === 'update' && item !== undefined) {
              // As it is stored, because the id may have been given to an item of the other owner.
              const stored = await tx.records('items').findById(item.id)
              if (stored !== null) await tx.records('items').update({ ...stored, description: text })
            } else if (kind === 'delete' && item !== undefined) await remove(tx, item)
            else if (kind === 'upload') files.push((await insertFile(tx, userId, text.length)).id)
            else if (kind === 'unlink') await tx.files.delete(oneOf(files, at) ?? 0)
            else if (kind === 'answer') await putAnswer(tx, userId, `${at % 3}`, text.repeat(at * 99), at)
            else if (kind === 'clean') {
              await tx.idempotency.deleteOld(at, 3)
              await tx.events.deleteBefore(at, 3)
            } else if (kind === 'forget') {
              await tx.records('items').deleteOwned(userId, 2)
              await tx.files.deleteOwned(userId, 2)
              await tx.idempotency.deleteOwned(userId, 2)
            } else if (kind === 'erase') await eraseAll(tx, userId)
          }
          // Clean-ups begin with the oldest rows, which must not be those of earlier runs.
          await store.write(async (tx) => {
            await tx.idempotency.deleteOld(9, 10_000)
            await tx.events.deleteBefore(9, 10_000)
          })
          for (const { steps, fails } of units) {
            const work = store.write(async (tx) => {
              for (const each of steps) await perform(tx, each)
              if (fails) throw new Error('undone')
            })
            await work.catch((error: Error) => expect(error.message).toBe('undone'))
            // On an engine that assigns positions to events later, all events have one now.
            await store.read((tx) => tx.events.bounds())
          }
          const rows = await outside<{ user_id: number | string; bytes: number | string }>(countedIn(migration))
          const storedBytes = new Map(rows.map(({ user_id, bytes }) => [Number(user_id), Number(bytes)]))
          for (const userId of owners) expect(await used(store, userId)).toBe(storedBytes.get(userId) ?? 0)
        }),
        { numRuns: runsOf(15, 40), examples: [[REUSED_ID], [ERASED_AT_ONCE]] },
      )
    })

    test('refuses a unit that exceeds the quota, stores nothing of it, and does not affect others', async () => {
      const { store } = await open(QUOTA_BYTES)
      const [ann, bob] = [await makeUser(store), await makeUser(store)]
      await store.write((tx) => insert(tx, ann, 'x'.repeat(5_000)))
      const before = await used(store, ann)
      const tooMuch = () => store.write((tx) => insert(tx, ann, 'x'.repeat(5_000)))
      const more = () => store.write((tx) => insert(tx, bob, 'x'))
      expect(await Promise.all([code(tooMuch()), code(more()), code(tooMuch()), code(more())])).toEqual([
        'quota_exceeded',
        'done',
        'quota_exceeded',
        'done',
      ])
      expect(await used(store, ann)).toBe(before)
      expect(await readEvents(store, { scope: { kind: 'items', ownerId: ann } })).toHaveLength(1)
    })

    test('counts a unit as a whole: removed bytes offset added ones', async () => {
      const { store } = await open(QUOTA_BYTES)
      const ann = await makeUser(store)
      const file = await store.write((tx) => insertFile(tx, ann, 15_000))
      expect(await code(store.write((tx) => insertFile(tx, ann, 15_000)))).toBe('quota_exceeded')
      const replaced = store.write(async (tx) => {
        await insertFile(tx, ann, 15_000)
        await tx.files.delete(file.id)
      })
      expect(await code(replaced)).toBe('done')
    })

    test('never prevents deleting, and deleting frees bytes', async () => {
      const { store } = await open(QUOTA_BYTES)
      const ann = await makeUser(store)
      const item = await store.write((tx) => insert(tx, ann, 'x'.repeat(4_000)))
      await store.write((tx) => insertFile(tx, ann, QUOTA_BYTES - 512 - 13_500))
      const full = await used(store, ann)
      await store.write((tx) => remove(tx, item))
      expect(await used(store, ann)).toBeLessThan(full - 3_500)
      // What the log keeps of it may even take more than the item did.
      const controls = await store.write((tx) => insert(tx, ann, '\u0001'.repeat(500)))
      expect(await code(store.write((tx) => remove(tx, controls)))).toBe('done')
    })

    test('only as many racing writers succeed as the quota allows', async () => {
      const { store } = await open(QUOTA_BYTES)
      const ann = await makeUser(store)
      const codes = await Promise.all(
        Array.from({ length: 30 }, () => code(store.write((tx) => insertFile(tx, ann, 3_488)))),
      )
      expect(codes.filter((each) => each === 'done')).toHaveLength(5)
      expect(codes.filter((each) => each === 'quota_exceeded')).toHaveLength(25)
      expect(await used(store, ann)).toBe(20_000)
    })

    test('of all users is measured together, beside the size of the database', async () => {
      const { store } = await open()
      const before = await store.measure()
      const [ann, bob] = [await makeUser(store), await makeUser(store)]
      await store.write((tx) => insertFile(tx, ann, 3_000))
      await store.write((tx) => insertFile(tx, bob, 4_000))
      const after = await store.measure()
      const added = (await used(store, ann)) + (await used(store, bob))
      expect(added).toBeGreaterThanOrEqual(7_000)
      expect(after.users - before.users).toBe(added)
      expect(after.database).toBeGreaterThan(10_000)
    })

    test('of a removed user is zero, whatever is deleted later', async () => {
      const { store } = await open()
      const ann = await makeUser(store)
      await store.write((tx) => insert(tx, ann, 'x'))
      await store.write((tx) => tx.usage.delete(ann))
      await store.write((tx) => tx.records('items').deleteOwned(ann, 9))
      expect(await used(store, ann)).toBe(0)
    })

    test('a large repetitive response is stored compressed, and returned unchanged', async () => {
      const { store } = await open()
      const ann = await makeUser(store)
      const one = crypto.getRandomValues(new Uint8Array(30_000)).toBase64()
      const body = JSON.stringify(Array(100).fill({ one, ü: '✓' }))
      await store.write((tx) => putAnswer(tx, ann, 'k', body, 1))
      expect(await used(store, ann)).toBeLessThan(100_000)
      const found = await store.write((tx) => tx.idempotency.find(ann, 'r', 'k'))
      expect(found?.response).toEqual(answerOf(body))
    })
  })
}
