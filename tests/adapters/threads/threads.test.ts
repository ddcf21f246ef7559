import { expect, test } from 'bun:test'
import { Worker } from 'node:worker_threads'
import { createLimitMemory, createThreadsRateLimiter } from '../../../src/adapters/threads/rate-limiter.ts'
import { accessNoticesContract } from '../../contracts/access-notices.ts'
import { commitSignalsContract } from '../../contracts/commit-signals.ts'
import { rateLimiterContract } from '../../contracts/rate-limiter.ts'
import { socketSlotsContract } from '../../contracts/socket-slots.ts'
import { testClock } from '../../support/clock.ts'
import { openThreads, samplesWith } from '../../support/threads.ts'
import { until } from '../../support/until.ts'

accessNoticesContract(
  'threads',
  async () => {
    const [first, second, main] = openThreads().buses
    return [first.notices, second.notices, main.notices]
  },
  { isLossless: true },
)

commitSignalsContract('threads', async () => {
  const [first, second, main] = openThreads().buses
  return [first.commitSignals, second.commitSignals, main.commitSignals]
})

socketSlotsContract('threads', async () => {
  const [first, second, main] = openThreads().buses
  return [first.socketSlots, second.socketSlots, main.socketSlots]
})

rateLimiterContract('threads', async () => {
  const clock = testClock()
  const memory = createLimitMemory()
  const limiters = [createThreadsRateLimiter(memory, clock), createThreadsRateLimiter(memory, clock)]
  // Each call is one of another thread.
  let calls = 0
  const limiter = () => limiters[calls++ % 2] ?? createThreadsRateLimiter(memory, clock)
  return {
    limiter: { take: (...given) => limiter().take(...given), clear: (key) => limiter().clear(key) },
    pass: async (milliseconds) => clock.advance(milliseconds),
  }
})

test('a full table of limits drops counters, and never grows', () => {
  const limiter = createThreadsRateLimiter(createLimitMemory(), testClock())
  const rate = { limit: 2, windowMs: 1_000 }
  for (let key = 0; key < 200_000; key++) limiter.take(`key ${key}`, rate)
  expect(limiter.take('another', rate)).toMatchObject({ allowed: true, remaining: 1 })
  expect(limiter.take('another', rate)).toMatchObject({ allowed: true, remaining: 0 })
  expect(limiter.take('another', rate)).toMatchObject({ allowed: false })
})

test('threads that count one key at the same time allow no more than its limit', async () => {
  const memory = createLimitMemory()
  const entry = new URL('../../support/limit-thread.ts', import.meta.url)
  const counts = [1, 2].map(
    () =>
      new Promise<number>((resolve, reject) => {
        const worker = new Worker(entry, { workerData: memory })
        worker.on('message', resolve)
        worker.on('error', reject)
      }),
  )
  const [first = 0, second = 0] = await Promise.all(counts)
  expect(first + second).toBe(50_000)
})

test('a notice does not wait for a thread that has ended, before or after it was published', async () => {
  const { first, second, main } = openThreads()
  const received: number[] = []
  main.notices.subscribe((userId) => void received.push(userId))
  const publishing = first.bus.notices.publish(7)
  second.end()
  await publishing
  await first.bus.notices.publish(8)
  expect(received).toEqual([7, 8])
})

test('the sockets of a thread that has ended are free', async () => {
  const { first, second } = openThreads()
  expect(await first.bus.socketSlots.take(7, 2)).toBe(true)
  expect(await first.bus.socketSlots.take(7, 2)).toBe(true)
  expect(await second.bus.socketSlots.take(7, 2)).toBe(false)
  first.end()
  await until(async () => await second.bus.socketSlots.take(7, 2))
})

test('a thread that ended while it asked for a socket has none', async () => {
  const { first, second } = openThreads()
  void first.bus.socketSlots.take(7, 1)
  first.end()
  // Its question arrives by then.
  await second.bus.notices.publish(7)
  expect(await second.bus.socketSlots.take(7, 1)).toBe(true)
})

const totalsOf = (requests: number, events: number, sockets: number) => {
  const of = (value: number) => [{ labels: {}, value }]
  return { requests: of(requests), events: of(events), sockets: of(sockets) }
}

test('whichever thread is asked has the totals of all', async () => {
  const { first, second, main, counted } = openThreads()
  Object.assign(counted, { main: 1, first: 20, second: 300 })
  expect(await first.totals()).toEqual(totalsOf(321, 300, 321))
  expect(await second.totals()).toEqual(totalsOf(321, 300, 321))
  expect(await main.totals(samplesWith(1))).toEqual(totalsOf(321, 300, 321))
})

test('what a thread has counted still counts after its end, and what it had open does not', async () => {
  const { first, second, counted } = openThreads()
  Object.assign(counted, { first: 20, second: 300 })
  await first.totals()
  second.end()
  expect(await first.totals()).toEqual(totalsOf(320, 300, 20))
})

test('a thread that replaces another continues its counts, and sees what all see from then on', async () => {
  const { first, second, join, counted } = openThreads()
  Object.assign(counted, { first: 100, second: 100 })
  await first.totals()
  second.end()
  counted.third = 0
  const third = join('third')
  expect(await third.totals()).toEqual(totalsOf(200, 100, 100))
  Object.assign(counted, { first: 110, third: 10 })
  expect(await third.totals()).toEqual(totalsOf(220, 110, 120))
  first.end()
  counted.third = 15
  expect(await third.totals()).toEqual(totalsOf(225, 115, 15))
})
