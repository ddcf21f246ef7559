import { describe, expect, test } from 'bun:test'
import type { Store } from '../../src/application/ports/persistence.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { isWithin } from '../../src/domain/epoch.ts'
import { newRecord } from '../../src/domain/record.ts'
import { itemEvent } from '../support/events.ts'

interface Harness {
  readonly store: Store
  /** Another server that starts later on what may be a copy of the same data. */
  again(): Promise<Store>
}

/** What every engine promises of the lives of its data. */
export const epochsContract = (engine: string, open: () => Promise<Harness>) => {
  describe(`the epochs of ${engine}`, () => {
    const current = (store: Store) => store.read(async (tx) => tx.epochs.current)
    const find = (store: Store, id: string) => store.read((tx) => tx.epochs.find(id))
    const write = (store: Store) =>
      store.write(async (tx) => {
        const item = await tx.records('items').insert(newRecord(ITEMS, { title: 'x' }, 1, 1))
        await tx.events.append(itemEvent('created', item))
        return item
      })
    const last = async (store: Store) => (await store.read((tx) => tx.events.bounds())).last

    test('begin at a server’s start, and last until the next', async () => {
      const { store, again } = await open()
      await store.beginEpoch()
      const first = await current(store)
      expect(await find(store, first)).toEqual({ id: first, end: null })
      await write(store)
      await write(store)
      const later = await again()
      await later.beginEpoch()
      const second = await current(later)
      expect(second).not.toBe(first)
      expect(await find(later, first)).toEqual({ id: first, end: await last(later) })
      expect(await find(later, second)).toEqual({ id: second, end: null })
      expect(await find(later, 'aaaaaaaaaa')).toBeNull()
    })

    test('a cursor is within one up to its last event, also when there was none', async () => {
      const { store, again } = await open()
      await store.beginEpoch()
      const first = await current(store)
      await write(store)
      const end = await last(store)
      const restarted = await again()
      await restarted.beginEpoch()
      const empty = await current(restarted)
      const later = await again()
      await later.beginEpoch()
      await write(later)
      const within = async (epoch: string, position: number) => isWithin(await find(later, epoch), { epoch, position })
      expect([await within(first, 0), await within(first, end), await within(first, end + 1)]).toEqual([
        true,
        true,
        false,
      ])
      expect([await within(empty, end), await within(empty, end + 1)]).toEqual([true, false])
      expect(await within(await current(later), end + 1)).toBe(true)
    })

    test('an item records in which its version was written', async () => {
      const { store, again } = await open()
      await store.beginEpoch()
      const item = await write(store)
      expect(item.epoch).toBe(await current(store))
      const later = await again()
      await later.beginEpoch()
      expect(await later.read((tx) => tx.records('items').findById(item.id))).toEqual(item)
      const updated = await later.write((tx) => tx.records('items').update({ ...item, version: 2 }))
      expect(updated).toEqual({ ...item, version: 2, epoch: await current(later) })
      expect(await later.read((tx) => tx.records('items').findById(item.id))).toEqual(updated)
    })

    test('are removed when their events are gone', async () => {
      const { store, again } = await open()
      await store.beginEpoch()
      const first = await current(store)
      await write(store)
      const second = await again()
      await second.beginEpoch()
      await write(second)
      const id = await current(second)
      await write(second)
      expect(await last(second)).toBe(3)
      await second.write((tx) => tx.events.deleteBefore(2, 2))
      const third = await again()
      await third.beginEpoch()
      expect([await find(third, first), await find(third, id)]).toEqual([null, { id, end: await last(third) }])
    })
  })
}
