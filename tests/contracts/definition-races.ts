import { describe, expect, test } from 'bun:test'
import { definitionOf } from '../../src/domain/definition.ts'
import { AppError } from '../../src/domain/errors.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { Actor } from '../../src/domain/session.ts'
import { type Database, openOn } from '../support/changing-definitions.ts'
import { collectionsOn } from '../support/collections.ts'
import { list, TITLE } from '../support/lists.ts'

/** Reads of the embedded engine alone would never let other work run. */
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

const FIRST_PAGE = {
  ownerId: null,
  text: null,
  createdAfter: null,
  createdBefore: null,
  size: 5,
  sort: { field: 'id', descending: false },
  from: { page: 1 },
} as const

/** Every engine changes definitions alike while their records are used. */
export const definitionRacesContract = (engine: string, openDatabase: () => Database | Promise<Database>) => {
  const open = async () => openOn(await openDatabase())

  describe(`changing a definition that is in use, on ${engine}`, () => {
    test('loses nothing that is written meanwhile', async () => {
      const { put, create, records, admin, fieldsOf, get } = await open()
      await put(list())
      const before = await create('lists', ...Array.from({ length: 250 }, (_, n) => ({ title: `before ${n}` })))
      const written = new Map<number, string>()
      let isDone = false
      const creating = async () => {
        for (let n = 0; !isDone; n++) {
          const [id = 0] = await create('lists', { title: `created ${n}` })
          written.set(id, `created ${n}`)
        }
      }
      const updating = async () => {
        for (let n = 0; !isDone; n++) {
          const id = before[(n * 37) % before.length] ?? 0
          await records.update(admin, 'lists', id, { title: `updated ${n}` }, { expected: null })
          written.set(id, `updated ${n}`)
        }
      }
      const deleted = new Set<number>()
      const deleting = async () => {
        for (const id of before.filter((_, n) => n % 10 === 0)) {
          if (isDone) return
          await records.remove(admin, 'lists', id, null).catch((error: unknown) => {
            if (!(error instanceof AppError) || error.code !== 'not_found') throw error
          })
          deleted.add(id)
        }
      }
      const isGone = (error: unknown) => {
        if (!(error instanceof AppError) || error.code !== 'not_found') throw error
      }
      const writers = [creating(), deleting(), updating().catch(isGone)]
      const indexes = [{ fields: ['title'] }]
      await put(list({ ...TITLE, done: { type: 'boolean', default: false } }, { indexes }))
      isDone = true
      await Promise.all(writers)
      for (const id of before.filter((one) => !deleted.has(one) && !written.has(one))) {
        expect(await fieldsOf('lists', id)).toMatchObject({ title: `before ${before.indexOf(id)}` })
      }
      for (const [id, title] of written) {
        if (deleted.has(id)) continue
        expect(await fieldsOf('lists', id)).toMatchObject({ title })
        const { page } = await records.list(admin, 'lists', FIRST_PAGE, { filter: `title == "${title}"` })
        expect(page.items.map((record) => record.id)).toContain(id)
      }
      expect((await get('lists')).version).toBe(2)
    })

    test('loses nothing that is written while a field is renamed, and shows each record in one of both forms', async () => {
      const { put, create, records, admin, fieldsOf } = await open()
      await put(list())
      const written = new Map<number, string>()
      const before = await create('lists', ...Array.from({ length: 150 }, (_, n) => ({ title: `before ${n}` })))
      for (const [n, id] of before.entries()) written.set(id, `before ${n}`)
      /** Whoever writes does not know which definition is in effect. */
      const inOneForm = async <T>(text: string, write: (fields: JsonObject) => Promise<T>): Promise<T> =>
        write({ title: text }).catch((error: unknown) => {
          if (error instanceof AppError && error.code === 'validation_failed') return write({ label: text })
          throw error
        })
      let isDone = false
      const creating = async () => {
        for (let n = 0; !isDone; n++) {
          const [id = 0] = await inOneForm(`created ${n}`, (fields) => create('lists', fields))
          written.set(id, `created ${n}`)
        }
      }
      const updating = async () => {
        for (let n = 0; !isDone; n++) {
          const id = before[(n * 37) % before.length] ?? 0
          await inOneForm(`updated ${n}`, (fields) => records.update(admin, 'lists', id, fields, { expected: null }))
          written.set(id, `updated ${n}`)
        }
      }
      const reading = async () => {
        for (let n = 0; !isDone; n++) {
          const fields = await fieldsOf('lists', before[(n * 41) % before.length] ?? 0)
          expect(Object.values(fields)).toEqual([expect.stringMatching(/^(before|updated) \d+$/)])
          await nextTurn()
        }
      }
      const clients = Promise.all([creating(), updating(), reading()])
      const label = { type: 'string', maxLength: 200 }
      const transform = [{ op: 'move', from: '/title', path: '/label' }]
      await put(list({ label }, { indexes: [{ fields: ['label'] }] }), { transform }).finally(() => {
        isDone = true
      })
      await clients
      for (const [id, text] of written) expect(await fieldsOf('lists', id)).toEqual({ label: text })
    })

    test('shows nobody what a tightened rule hides, from the next request on, while records are written', async () => {
      const { put, create, records, admin, person } = await open()
      const stranger = await person()
      await put(list(TITLE, { rules: { read: 'true' } }))
      const ids = await create('lists', ...Array.from({ length: 50 }, (_, n) => ({ title: `a ${n}` })))
      let isTightened = false
      let isDone = false
      let seenBefore = 0
      /** What a request that begins now shows to the stranger. */
      const look = async (show: (actor: Actor) => Promise<number>): Promise<void> => {
        const mayBeSeen = !isTightened
        const count = await show(stranger).catch((error: unknown) => {
          if (error instanceof AppError && error.code === 'not_found') return 0
          throw error
        })
        seenBefore += mayBeSeen ? count : 0
        if (!mayBeSeen) expect(count).toBe(0)
      }
      const looking = async () => {
        for (let n = 0; !isDone; n++) {
          const id = ids[n % ids.length] ?? 0
          await look((actor) => records.get(actor, 'lists', id).then(() => 1))
          await look((actor) => records.list(actor, 'lists', FIRST_PAGE).then(({ page }) => page.items.length))
          await nextTurn()
        }
      }
      const writing = async () => {
        for (let n = 0; !isDone; n++) {
          const id = ids[(n * 37) % ids.length] ?? 0
          await records.update(admin, 'lists', id, { title: `b ${n}` }, { expected: null })
        }
      }
      const clients = Promise.all([looking(), writing()])
      try {
        await put(list(TITLE, { rules: { read: 'auth.id == record.owner_id' } }))
        isTightened = true
        for (const id of ids) await look((actor) => records.get(actor, 'lists', id).then(() => 1))
      } finally {
        isDone = true
      }
      await clients
      expect(seenBefore).toBeGreaterThan(0)
      expect((await records.list(admin, 'lists', FIRST_PAGE)).page.total).toBe(ids.length)
    })

    test.each([
      [
        'with another index each',
        [{ indexes: [{ fields: ['title'] }] }, { indexes: [{ fields: ['title'], unique: true }] }],
      ],
      ['with the same indexes', [{}, {}]],
    ] as const)('lets one of two changes at once win, %s, and leaves nothing pending', async (_, rests) => {
      const { put, create, get, pending } = await open()
      await put(list())
      await create('lists', { title: 'long title' }, { title: 'another' })
      const one = list({ title: { type: 'string', maxLength: 150 } }, rests[0])
      const other = list({ title: { type: 'string', maxLength: 100 } }, rests[1])
      const results = await Promise.allSettled([put(one), put(other)])
      const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
      expect(refused).toEqual(['version_mismatch'])
      const { version, collection } = await get('lists')
      const winner = results[0]?.status === 'fulfilled' ? 150 : 100
      expect(version).toBe(2)
      expect(definitionOf(collection)).toMatchObject({ schema: { properties: { title: { maxLength: winner } } } })
      expect(await pending()).toEqual([])
    })

    test('never gives a definition effect that another change has put in the place of the one that was checked', async () => {
      const { put, create, get, pending } = await open()
      await put(list())
      await create('lists', { title: 'long title' })
      const fitting = list({ title: { type: 'string', maxLength: 150 } })
      const unfit = list({ title: { type: 'string', maxLength: 1 } })
      await Promise.allSettled([put(fitting), put(unfit)])
      expect(definitionOf((await get('lists')).collection)).not.toMatchObject({
        schema: { properties: { title: { maxLength: 1 } } },
      })
      expect(await pending()).toEqual([])
    })

    test('is not ended by processes that start while it goes on, however long that takes', async () => {
      const { store } = await openDatabase()
      let now = Date.now()
      let starts = 0
      const another = collectionsOn(store, { clock: { now: () => now } })
      const { collections, create, anAdmin } = collectionsOn(store, {
        clock: { now: () => now },
        wrap: ({ read, write }) => ({
          read,
          async write(work) {
            now += 14_000
            starts++
            await another.collections.abandonUnfinished({ isAlone: false })
            return write(work)
          },
        }),
      })
      const admin = await anAdmin()
      const put = (definition: JsonObject) => collections.put(admin, 'lists', definition, { expected: null })
      await put(list())
      await store.write(async (tx) => {
        const stored = await tx.collections.find('lists')
        const draft = { title: 'Home', ownerId: null, version: 1, createdAt: 1, updatedAt: 1 }
        for (let n = 0; n < 500 && stored !== null; n++) await tx.records(stored).insert(draft)
      })
      starts = 0
      const { details } = await put(list(TITLE, { indexes: [{ fields: ['title'] }] }))
      // Another attempt would take more units than these seven, and one that renews the lease.
      expect([details.version, starts]).toEqual([2, 8])
      expect((await create(admin, 'lists', { title: 'Work' })).title).toBe('Work')
    })

    test('that a process has left unfinished is abandoned by others, once its lease has expired', async () => {
      const { store, outside } = await openDatabase()
      let now = Date.now()
      const opened = collectionsOn(store, { clock: { now: () => now } })
      await opened.define({ ...list(), name: 'lists' })
      await store.write(async (tx) => {
        const stored = await tx.collections.findForChange('lists')
        if (stored === null) throw new Error('there is no such collection')
        await tx.collections.prepare(stored, {
          collection: stored.collection,
          transform: null,
          leaseUntil: now + 60_000,
        })
      })
      const pending = () => outside('SELECT name FROM collections WHERE pending IS NOT NULL')
      await opened.collections.abandonUnfinished({ isAlone: false })
      expect(await pending()).toHaveLength(1)
      now += 60_000
      await opened.collections.abandonUnfinished({ isAlone: false })
      expect(await pending()).toEqual([])
    })
  })
}
