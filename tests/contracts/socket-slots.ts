import { describe, expect, test } from 'bun:test'
import type { SocketSlots } from '../../src/application/ports/messaging.ts'
import { until } from '../support/until.ts'

/** What counts of sockets promise. `open` answers those of each thread of one process, one or more. */
export const socketSlotsContract = (engine: string, open: () => Promise<readonly [SocketSlots, ...SocketSlots[]]>) => {
  describe(`the socket slots of ${engine}`, () => {
    test('are refused to a user who has the number allowed, wherever they are open', async () => {
      const all = await open()
      const at = (index: number) => all[index % all.length] ?? all[0]
      const taken = []
      for (const index of [0, 1, 2, 3]) taken.push(await at(index).take(7, 3))
      expect(taken).toEqual([true, true, true, false])
      expect(await at(3).take(8, 3)).toBe(true)
    })

    test('are free again once they are released', async () => {
      const all = await open()
      const last = all.at(-1) ?? all[0]
      expect(await all[0].take(7, 1)).toBe(true)
      expect(await last.take(7, 1)).toBe(false)
      all[0].release(7)
      await until(async () => await last.take(7, 1))
    })

    test('are given to no more than the number allowed, however many ask at once', async () => {
      const all = await open()
      const asked = Array.from({ length: 30 }, (_, index) => (all[index % all.length] ?? all[0]).take(7, 10))
      expect((await Promise.all(asked)).filter((taken) => taken)).toHaveLength(10)
    })
  })
}
