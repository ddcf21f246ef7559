import { expect, test } from 'bun:test'
import { createRest } from '../../../src/adapters/ws/rest.ts'

test('a handful of sockets is not worth a rest', () => {
  expect(createRest()(16)).toBe(0)
})

test('a thousand sockets are worth a rest that nobody sees, and a busy process rests longer', async () => {
  const rest = createRest()
  await Bun.sleep(50)
  const idle = rest(1_000)
  const until = performance.now() + 50
  while (performance.now() < until);
  const busy = rest(1_000)
  expect(idle).toBeGreaterThanOrEqual(15)
  expect(busy).toBeGreaterThan(idle)
  expect(busy).toBeLessThanOrEqual(35)
})

test('however many sockets there are, a tenth of a second is the longest rest', () => {
  const rest = createRest()
  expect(rest(1_000_000)).toBe(100)
})
