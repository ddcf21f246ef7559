import { expect, test } from 'bun:test'
import { createCoalesceDelay } from '../../../src/adapters/ws/coalesce.ts'

test('a handful of sockets is not worth a rest', () => {
  expect(createCoalesceDelay()(16)).toBe(0)
})

test('a thousand sockets are worth a rest that nobody sees, and a busy process rests longer', async () => {
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

test('however many sockets there are, a tenth of a second is the longest rest', () => {
  const coalesceDelay = createCoalesceDelay()
  expect(coalesceDelay(1_000_000)).toBe(100)
})
