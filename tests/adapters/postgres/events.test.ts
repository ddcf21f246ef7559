import { describe, expect, test } from 'bun:test'
import { ITEMS } from '../../../src/domain/collections/items.ts'
import { newRecord } from '../../../src/domain/record.ts'
import { eventLogContract } from '../../contracts/events.ts'
import { itemEvent, OF_ITEMS, readEvents } from '../../support/events.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

const eventOf = (id: number, version: number) =>
  itemEvent('updated', { id, ...newRecord(ITEMS, { title: 'x' }, 1, 1), version, epoch: 'e' })

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  eventLogContract('postgres', async () => {
    const { store: one, open } = await openTestPostgres(5)
    return { one, other: open() }
  })

  test('an event that commits late gets a position after those already read, and is not lost', async () => {
    const { store: one, open } = await openTestPostgres(5)
    const other = open()
    const seen: (readonly [number, number])[] = []
    let position = 0
    const read = async () => {
      for (const event of await readEvents(other, { after: position, limit: 100 })) {
        seen.push([event.subjectId, Number(event.data.version)])
        position = event.position
      }
    }
    const [written, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const late = one.write(async (tx) => {
      await tx.events.append(eventOf(1, 1))
      // Answered, so that the event before it has its id.
      await tx.users.countActiveAdmins()
      written.resolve()
      await end.promise
    })
    await written.promise
    await one.write((tx) => tx.events.append(eventOf(2, 1)))
    await read()
    await other.write((tx) => tx.events.append(eventOf(2, 2)))
    await read()
    expect(seen).toEqual([
      [2, 1],
      [2, 2],
    ])
    end.resolve()
    await late
    await one.write((tx) => tx.events.append(eventOf(1, 2)))
    await read()
    expect(seen.slice(2)).toEqual([
      [1, 1],
      [1, 2],
    ])
  })

  test('of writers and readers that race, every reader sees the same order, and each item’s changes in theirs', async () => {
    const { store: one, open } = await openTestPostgres(5)
    const other = open()
    const items = await Promise.all(
      Array.from({ length: 5 }, () =>
        one.write((tx) => tx.records('items').insert(newRecord(ITEMS, { title: 'x' }, 1, 1))),
      ),
    )
    const change = (id: number, nth: number) =>
      (nth % 2 === 0 ? one : other).write(async (tx) => {
        const item = await tx.records('items').findById(id)
        if (item === null) throw new Error('no item')
        const version = item.version + 1
        await tx.records('items').update({ ...item, version })
        await tx.events.append(eventOf(id, version))
      })
    let writing = true
    const writers = Promise.all(items.flatMap(({ id }) => Array.from({ length: 20 }, (_, nth) => change(id, nth))))
    void writers.finally(() => {
      writing = false
    })
    const follow = async (store: typeof one) => {
      const seen: { position: number; id: number; version: number }[] = []
      for (let last = false; ; last = !writing) {
        const after = seen.at(-1)?.position ?? 0
        for (const event of await readEvents(store, { scope: OF_ITEMS, after, limit: 7 })) {
          seen.push({ position: event.position, id: event.subjectId, version: Number(event.data.version) })
        }
        if (last && seen.length >= 100) return seen
      }
    }
    const [first, second] = await Promise.all([follow(one), follow(other), writers])
    expect(first).toEqual(second)
    expect(first.map(({ position }) => position)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1))
    for (const { id } of items) {
      const versions = first.filter((event) => event.id === id).map(({ version }) => version)
      expect(versions).toEqual(Array.from({ length: 20 }, (_, n) => n + 2))
    }
  })

  test('retention keeps events without a position', async () => {
    const { store, outside } = await openTestPostgres()
    await store.write((tx) => tx.events.append(eventOf(1, 1)))
    expect(await store.write((tx) => tx.events.deleteBefore(1_000, 10))).toBe(0)
    expect(await outside('SELECT FROM events WHERE position IS NULL')).toHaveLength(1)
    expect(await store.read((tx) => tx.events.bounds())).toEqual({ last: 1, removed: 0 })
    expect(await store.write((tx) => tx.events.deleteBefore(1_000, 10))).toBe(1)
    expect(await store.read((tx) => tx.events.bounds())).toEqual({ last: 1, removed: 1 })
  })
})
