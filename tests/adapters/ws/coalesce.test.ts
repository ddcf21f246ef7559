import { expect, test } from 'bun:test'
import { createCoalesceDelay } from '../../../src/adapters/ws/coalesce.ts'

test('a handful of sockets is not coalesced', () => {
  expect(createCoalesceDelay()(16)).toBe(0)
})

test('a thousand sockets are coalesced for a few milliseconds, and longer in a busy process', async () => {
  const coalesceDelay = createCoalesceDelay()
  await Bun.sleep(50)
  const idle = coalesceDelay(1_000)
  const until = performance.now() + 50
  while (performance.now() < until);
  const busy = coalesceDelay(1_000)
  expect(idle).toBeGreaterThanOrEqual(15)
  expect(busy).toBeGreaterThan(idle)
  expect(busy).toBeLessThanOrEqual(35)
})

test('however many sockets there are, the delay is at most a tenth of a second', () => {
  const coalesceDelay = createCoalesceDelay()
  expect(coalesceDelay(1_000_000)).toBe(100)
})
