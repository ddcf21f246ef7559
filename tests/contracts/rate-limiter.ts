import { describe, expect, test } from 'bun:test'
import type { RateLimiter } from '../../src/application/ports/security.ts'

interface Harness {
  readonly limiter: RateLimiter
  /** Lets so many milliseconds pass. */
  readonly pass: (milliseconds: number) => Promise<void>
}

/** What every rate limiter promises. */
export const rateLimiterContract = (engine: string, open: () => Promise<Harness>, skip = false) => {
  describe.skipIf(skip)(`the rate limiter of ${engine}`, () => {
    const rate = { limit: 2, windowMs: 1_000 }

    test('allows the number of requests in the rate, then no more', async () => {
      const { limiter } = await open()
      const taken = [await limiter.take('a', rate), await limiter.take('a', rate), await limiter.take('a', rate)]
      expect(taken.map(({ allowed }) => allowed)).toEqual([true, true, false])
      expect(taken.map(({ remaining }) => remaining)).toEqual([1, 0, 0])
      expect(taken[0]).toMatchObject({ limit: 2 })
    })

    test('returns when the window ends, and restarts then', async () => {
      const { limiter, pass } = await open()
      for (const _ of [1, 2, 3]) await limiter.take('a', rate)
      const { resetInMs } = await limiter.take('a', rate)
      expect(resetInMs).toBeGreaterThan(0)
      expect(resetInMs).toBeLessThanOrEqual(1_000)
      await pass(resetInMs)
      expect((await limiter.take('a', rate)).allowed).toBe(true)
    })

    test('counts each key separately', async () => {
      const { limiter } = await open()
      for (const _ of [1, 2, 3]) await limiter.take('a', rate)
      expect((await limiter.take('b', rate)).allowed).toBe(true)
    })

    test('keeps the window of its first request, however many follow', async () => {
      const { limiter, pass } = await open()
      await limiter.take('a', rate)
      await pass(600)
      expect((await limiter.take('a', rate)).resetInMs).toBeLessThanOrEqual(400)
      await pass(400)
      expect((await limiter.take('a', rate)).remaining).toBe(1)
    })

    test('accepts any text as a key, and distinguishes all of them', async () => {
      const { limiter } = await open()
      const keys = ['a:b', 'a', 'a\r\nFLUSHALL\r\n', 'ann@example.com', 'ANN@example.com', 'a\0b', 'ä', '*', '{a}', '']
      for (const key of keys) expect((await limiter.take(key, rate)).remaining).toBe(1)
      for (const key of keys) expect((await limiter.take(key, rate)).remaining).toBe(0)
    })

    test('takes the cost of a request, and nothing if the cost exceeds the remaining limit', async () => {
      const { limiter } = await open()
      const take = async (cost: number) => {
        const { allowed, remaining } = await limiter.take('a', { limit: 10, windowMs: 60_000 }, cost)
        return [allowed, remaining]
      }
      expect(await take(7)).toEqual([true, 3])
      expect(await take(4)).toEqual([false, 3])
      expect(await take(3)).toEqual([true, 0])
      expect(await take(1)).toEqual([false, 0])
      expect(await limiter.take('b', { limit: 10, windowMs: 60_000 }, 11)).toMatchObject({
        allowed: false,
        remaining: 10,
      })
    })

    test('restarts in time for a key whose first request was refused', async () => {
      const { limiter, pass } = await open()
      const { resetInMs } = await limiter.take('a', { limit: 1, windowMs: 300 }, 2)
      expect(resetInMs).toBeGreaterThan(0)
      expect(resetInMs).toBeLessThanOrEqual(300)
      await pass(resetInMs)
      expect((await limiter.take('a', rate)).remaining).toBe(1)
    })

    test('resets a key that is cleared', async () => {
      const { limiter } = await open()
      for (const _ of [1, 2, 3]) await limiter.take('a', rate)
      await limiter.clear('a')
      expect((await limiter.take('a', rate)).remaining).toBe(1)
    })

    test('counts many keys at once', async () => {
      const { limiter } = await open()
      const keys = Array.from({ length: 900 }, (_, n) => `${n % 300}`)
      const taken = await Promise.all(keys.map((key) => limiter.take(key, { limit: 7, windowMs: 60_000 })))
      expect(taken.map(({ remaining }) => remaining)).toEqual(keys.map((_, n) => 6 - Math.floor(n / 300)))
    })

    test('never allows more than the limit to callers that race', async () => {
      const { limiter } = await open()
      const taken = await Promise.all(
        Array.from({ length: 20 }, () => limiter.take('a', { limit: 7, windowMs: 60_000 })),
      )
      expect(taken.filter(({ allowed }) => allowed)).toHaveLength(7)
    })
  })
}
