import { describe, expect, test } from 'bun:test'
import type { AccessNotices } from '../../src/application/ports/messaging.ts'
import { until } from '../support/until.ts'

/** What access notices promise. `open` answers those of each process of one installation, one or more. */
export const accessNoticesContract = (
  engine: string,
  open: () => Promise<readonly [AccessNotices, ...AccessNotices[]]>,
  { skip = false, isLossless = false } = {},
) => {
  describe.skipIf(skip)(`the access notices of ${engine}`, () => {
    const receive = (notices: AccessNotices) => {
      const received: number[] = []
      notices.subscribe((userId) => void received.push(userId))
      return received
    }

    test('reach every listener of the process that publishes by the time this resolves, once', async () => {
      const [own] = await open()
      const [first, second] = [receive(own), receive(own)]
      await own.publish(7)
      expect([first, second]).toEqual([[7], [7]])
    })

    test('have reached it when `publish` returns', async () => {
      const [own] = await open()
      const received = receive(own)
      const published = own.publish(7)
      expect(received).toEqual([7])
      await published
    })

    test('reach every other process, each once and in order', async () => {
      const [own, ...others] = await open()
      const here = receive(own)
      const there = others.map(receive)
      for (const userId of [1, 2, 3]) await own.publish(userId)
      await until(() => there.every((received) => received.length === 3))
      expect([here, ...there]).toEqual([here, ...there].map(() => [1, 2, 3]))
    })

    if (isLossless) {
      test('have reached every listener when the promise of `publish` resolves', async () => {
        const all = await open()
        const received = all.map(receive)
        for (const [index, one] of all.entries()) await one.publish(index)
        expect(received).toEqual(all.map(() => [...all.keys()]))
        expect(all.every(({ lossless }) => lossless)).toBe(true)
      })
    } else {
      test('report that they may be lost', async () => {
        const all = await open()
        expect(all.some(({ lossless }) => lossless)).toBe(false)
      })
    }
  })
}
