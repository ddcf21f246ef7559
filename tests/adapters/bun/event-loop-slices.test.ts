import { expect, test } from 'bun:test'
import { createEventLoopSlices } from '../../../src/adapters/bun/event-loop-slices.ts'

/** Longer than a slice. */
const BUSY_MS = 5

const beBusy = () => {
  const from = performance.now()
  while (performance.now() - from < BUSY_MS);
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('a slice begins when work first asks, however long the loop was busy with other things or idle', () => {
  const slices = createEventLoopSlices()
  beBusy()
  expect(slices.isOver()).toBe(false)
  beBusy()
  expect(slices.isOver()).toBe(true)
})

test('the next turn has a slice of its own', async () => {
  const slices = createEventLoopSlices()
  slices.isOver()
  beBusy()
  await nextTurn()
  expect(slices.isOver()).toBe(false)
})

test('work that waits goes on in turns of its own, in the order in which it began to wait', async () => {
  const slices = createEventLoopSlices()
  const order: string[] = []
  const work = async (name: string) => {
    for (let step = 1; step <= 2; step++) {
      await slices.next()
      order.push(`${name}${step}`)
    }
  }
  const turns = async () => {
    for (let turn = 1; turn <= 4; turn++) {
      await nextTurn()
      order.push('turn')
    }
  }
  await Promise.all([work('a'), work('b'), turns()])
  expect(order).toEqual(['a1', 'turn', 'b1', 'turn', 'a2', 'turn', 'b2', 'turn'])
})

test('work that goes on has a whole slice', async () => {
  const slices = createEventLoopSlices()
  slices.isOver()
  beBusy()
  await slices.next()
  expect(slices.isOver()).toBe(false)
  beBusy()
  expect(slices.isOver()).toBe(true)
})
