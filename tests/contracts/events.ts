import { describe, expect, test } from 'bun:test'
import type { EventScope } from '../../src/application/ports/events.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { jobEvent, type NewEvent } from '../../src/domain/event.ts'
import { recordEvent, type StoredRecord } from '../../src/domain/record.ts'
import { readEvents } from '../support/events.ts'

interface Harness {
  /** Two connections to one database, as two processes would have. */
  readonly one: UnitOfWork
  readonly other: UnitOfWork
}

const itemOf = (ownerId: number, id: number): StoredRecord => ({
  id,
  ownerId,
  title: 'ünïcödé ✓',
  description: null,
  data: { deep: [1, { more: 'x' }] },
  version: 3,
  epoch: 'e',
  createdAt: 10,
  updatedAt: 20,
})

const eventOf = (ownerId: number, itemId: number, more: Partial<NewEvent> = {}): NewEvent => ({
  ...recordEvent(ITEMS, 'updated', itemOf(ownerId, itemId), {
    actorId: 7,
    requestId: 'request-1',
    sessionId: 4,
    createdAt: 100,
  }),
  ...more,
})

const of = (kind: string, ownerId?: number): EventScope => (ownerId === undefined ? { kind } : { kind, ownerId })

/** What every engine's log of events promises. */
export const eventLogContract = (engine: string, open: () => Promise<Harness>) => {
  describe(`the event log of ${engine}`, () => {
    const append = (unitOfWork: UnitOfWork, event: NewEvent) => unitOfWork.write((tx) => tx.events.append(event))
    const list = (unitOfWork: UnitOfWork, after = 0, scope: EventScope = 'all', limit = 1_000) =>
      readEvents(unitOfWork, { scope, after, limit })
    const positions = async (unitOfWork: UnitOfWork, after = 0, scope: EventScope = 'all', limit = 1_000) =>
      (await list(unitOfWork, after, scope, limit)).map(({ position }) => position)
    const bounds = (unitOfWork: UnitOfWork) =>
      unitOfWork.read(async (tx) => {
        const found = await tx.events.bounds()
        expect(await tx.events.last()).toBe(found.last)
        return found
      })

    test('returns what was appended', async () => {
      const { one, other } = await open()
      const event = eventOf(1, 2)
      await append(one, event)
      expect(await list(other)).toEqual([{ ...event, position: 1 }])
    })

    test('counts the events of each name after a position', async () => {
      const { one, other } = await open()
      const tally = (after: number, maxCount: number) => other.read((tx) => tx.events.tally({ after, maxCount }))
      expect(await tally(0, 10)).toEqual({ counts: [], reached: 0, complete: true })
      for (const event of ['item.created', 'item.updated', 'item.updated'] as const) {
        await append(one, eventOf(1, 2, { event }))
      }
      const { counts, ...rest } = await tally(0, 10)
      expect(new Map(counts.map(({ event, count }) => [event, count]))).toEqual(
        new Map([
          ['item.created', 1],
          ['item.updated', 2],
        ]),
      )
      expect(rest).toEqual({ reached: 3, complete: true })
      expect(await tally(0, 2)).toMatchObject({ reached: 2, complete: false })
      expect(await tally(3, 10)).toEqual({ counts: [], reached: 3, complete: true })
    })

    test('contains what was committed and not what was rolled back', async () => {
      const { one } = await open()
      const rolledBack = one.write(async (tx) => {
        await tx.events.append(eventOf(1, 2))
        throw new Error('no')
      })
      await expect(rolledBack).rejects.toThrow('no')
      expect(await list(one)).toEqual([])
      await append(one, eventOf(1, 3))
      expect(await list(one)).toMatchObject([{ subjectId: 3, data: { id: 3 } }])
    })

    test('lists by owner, by item or all, after a position and up to a limit', async () => {
      const { one } = await open()
      for (const [owner, item] of [
        [1, 10],
        [2, 20],
        [1, 11],
        [1, 10],
      ] as const) {
        await append(one, eventOf(owner, item))
      }
      const [a = 0, b = 0, c = 0, d = 0] = await positions(one)
      expect([a, b, c, d]).toEqual([...new Set([a, b, c, d])].sort((x, y) => x - y))
      expect(await positions(one, 0, of('items', 1))).toEqual([a, c, d])
      expect(await positions(one, a, of('items', 1))).toEqual([c, d])
      expect(await positions(one, 0, { kind: 'items', subjectId: 10 })).toEqual([a, d])
      expect(await positions(one, 0, { kind: 'items', subjectId: 10 }, 1)).toEqual([a])
      expect(await positions(one, d)).toEqual([])
    })

    test('keeps events of jobs and items apart, in one common order', async () => {
      const { one } = await open()
      const job = {
        id: 7,
        kind: 'mail',
        state: 'done',
        attempts: 1,
        runAt: 1,
        lastError: null,
        createdAt: 1,
        updatedAt: 2,
      }
      const ended = jobEvent('job.done', { ...job, state: 'done', payload: { secret: 'x' } }, 100)
      await append(one, eventOf(1, 10))
      await one.write((tx) => tx.events.append(ended))
      await append(one, eventOf(1, 11))
      const [a = 0, b = 0, c = 0] = await positions(one)
      expect(await positions(one, 0, of('items'))).toEqual([a, c])
      expect(await positions(one, 0, of('jobs'))).toEqual([b])
      expect(await list(one, a)).toMatchObject([ended, { subjectId: 11 }])
    })

    test('is read in pieces that are bounded by count and by bytes, and a larger event alone', async () => {
      const { one } = await open()
      const sizes = [10, 10, 5_000, 10, 10]
      for (const [n, size] of sizes.entries()) {
        const data = { ...itemOf(1, 10 + n), data: { filling: '✓'.repeat(size) } }
        await append(one, eventOf(1, 10 + n, { data }))
      }
      const piecesOf = async (scope: EventScope, maxCount: number, maxBytes: number) => {
        const pieces: number[] = []
        for (let after = 0; ; ) {
          const { events, complete } = await one.read((tx) => tx.events.chunk({ scope, after, maxCount, maxBytes }))
          pieces.push(events.length)
          after = events.at(-1)?.position ?? after
          if (complete) return pieces
        }
      }
      for (const scope of ['all', of('items'), of('items', 1)] as const) {
        expect(await piecesOf(scope, 100, 1_000_000)).toEqual([5])
        expect(await piecesOf(scope, 2, 1_000_000)).toEqual([2, 2, 1])
        expect(await piecesOf(scope, 100, 1)).toEqual([1, 1, 1, 1, 1])
        // Three bytes a character: the third event passes the limit, and ends the piece.
        expect(await piecesOf(scope, 100, 10_000)).toEqual([3, 2])
      }
      expect(await piecesOf({ kind: 'items', subjectId: 12 }, 100, 1)).toEqual([1])
      expect(await piecesOf({ kind: 'items', subjectId: 99 }, 100, 1)).toEqual([0])
    })

    test('reports its end and what retention has removed', async () => {
      const { one } = await open()
      expect(await bounds(one)).toEqual({ last: 0, removed: 0 })
      for (const createdAt of [100, 200, 300]) await append(one, eventOf(1, 2, { createdAt }))
      const [first, second, third = 0] = await positions(one)
      expect(await bounds(one)).toEqual({ last: third, removed: (first ?? 0) - 1 })
      expect(await one.write((tx) => tx.events.deleteBefore(200, 10))).toBe(1)
      expect(await bounds(one)).toEqual({ last: third, removed: (second ?? 0) - 1 })
      expect(await one.write((tx) => tx.events.deleteBefore(1_000, 1))).toBe(1)
      expect(await one.write((tx) => tx.events.deleteBefore(1_000, 10))).toBe(1)
      expect(await bounds(one)).toEqual({ last: third, removed: third })
      await append(one, eventOf(1, 2))
      expect(await positions(one)).toEqual([third + 1])
    })

    test('retention removes only from the beginning, even if a clock was set back', async () => {
      const { one } = await open()
      for (const createdAt of [100, 900, 200, 1_000]) await append(one, eventOf(1, 2, { createdAt }))
      const [, ...later] = await positions(one)
      expect(await one.write((tx) => tx.events.deleteBefore(500, 10))).toBe(1)
      expect(await positions(one)).toEqual(later)
      expect(await one.write((tx) => tx.events.deleteBefore(950, 10))).toBe(2)
      expect(await positions(one)).toEqual(later.slice(2))
    })

    test('returns the newest events of a subject before a position, as many as fit', async () => {
      const { one, other } = await open()
      for (const createdAt of [1, 2, 3, 4]) {
        await append(one, eventOf(1, 2, { createdAt }))
        await append(one, eventOf(1, 3, { createdAt }))
      }
      const newest = async (query: { before?: number; maxCount?: number; maxBytes?: number }) => {
        const all = { kind: 'items', subjectId: 2, before: null, maxCount: 10, maxBytes: 1_000_000, ...query }
        const { events, complete } = await other.read((tx) => tx.events.newestOf(all))
        return { times: events.map(({ createdAt }) => createdAt), complete, last: events.at(-1)?.position ?? 0 }
      }
      expect(await newest({})).toMatchObject({ times: [4, 3, 2, 1], complete: true })
      const { times, complete, last } = await newest({ maxCount: 2 })
      expect([times, complete]).toEqual([[4, 3], false])
      expect(await newest({ before: last })).toMatchObject({ times: [2, 1], complete: true })
      expect(await newest({ maxBytes: 1 })).toMatchObject({ times: [4], complete: false })
    })

    test('a reader that follows the last position it saw misses nothing of writers that race', async () => {
      const { one, other } = await open()
      const writers = Promise.all(
        Array.from({ length: 200 }, (_, n) => append(n % 2 === 0 ? one : other, eventOf(1, n + 1))),
      )
      let writing = true
      void writers.finally(() => {
        writing = false
      })
      const seen: { readonly position: number; readonly id: number }[] = []
      for (let last = false; ; last = !writing) {
        for (const event of await list(one, seen.at(-1)?.position ?? 0)) {
          seen.push({ position: event.position, id: event.subjectId })
        }
        if (last) break
        await new Promise((resolve) => setImmediate(resolve))
      }
      await writers
      expect(seen.map(({ id }) => id).sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1))
      expect(seen.map(({ position }) => position)).toEqual(await positions(other))
    })
  })
}
