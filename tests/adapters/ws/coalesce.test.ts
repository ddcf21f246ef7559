import { expect, test } from 'bun:test'
import { createCoalesceDelay } from '../../../src/adapters/ws/coalesce.ts'

test('a handful of sockets is not coalesced', () => {
  expect(createCoalesceDelay()(16)).toBe(0)
})

test('a thousand sockets are coalesced for a few milliseconds, and longer in a busy process', () => {
  let [now, cpu] = [0, 0]
  const coalesceDelay = createCoalesceDelay({ clock: { now: () => now, cpu: () => cpu } })
  const delayAfter = (elapsed: number, used: number) => {
    now += elapsed
    cpu += used
    return coalesceDelay(1_000)
  }
  expect(delayAfter(50, 0)).toBeCloseTo(15)
  expect(delayAfter(50, 25)).toBeCloseTo(25)
  expect(delayAfter(50, 50)).toBeCloseTo(35)
  // On two cores.
  expect(delayAfter(50, 100)).toBeCloseTo(35)
  expect(delayAfter(50, 0)).toBeCloseTo(15)
})

test('a thread that has half of the sockets of an idle process pauses as long as one that has all', () => {
  const clock = { now: () => 0, cpu: () => 0 }
  const alone = createCoalesceDelay({ clock })
  const oneOfTwo = createCoalesceDelay({ threadsCount: 2, clock })
  expect(oneOfTwo(500)).toBe(alone(1_000))
})

test('a thread of a busy process with several pauses longer than a busy process with one', () => {
  let [now, cpu] = [0, 0]
  const oneOfTwo = createCoalesceDelay({ threadsCount: 2, clock: { now: () => now, cpu: () => cpu } })
  now += 50
  cpu += 100
  expect(oneOfTwo(500)).toBeCloseTo(80)
})

test('the load of this process is measured', () => {
  const coalesceDelay = createCoalesceDelay()
  const before = process.cpuUsage()
  while (process.cpuUsage(before).user < 20_000);
  const delay = coalesceDelay(1_000)
  expect(delay).toBeGreaterThan(15)
  expect(delay).toBeLessThanOrEqual(35)
})

test('however many sockets there are, the delay is at most a tenth of a second', () => {
  const coalesceDelay = createCoalesceDelay()
  expect(coalesceDelay(1_000_000)).toBe(100)
})
