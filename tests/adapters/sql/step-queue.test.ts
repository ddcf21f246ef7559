import { expect, test } from 'bun:test'
import { createStepQueue } from '../../../src/adapters/sql/step-queue.ts'

const [ANN, BOB] = [1, 2]

/** Longer than steps may take in one turn of the event loop. */
const LONG_MS = 5

const work = (ms: number) => {
  const end = performance.now() + ms
  while (performance.now() < end) {}
}

test('a step runs at once when no other waits', () => {
  const run = createStepQueue({ limit: 1 })
  let hasRun = false
  void run(ANN, () => {
    hasRun = true
  })
  expect(hasRun).toBe(true)
})

test('the event loop serves other work between steps that take long', async () => {
  const run = createStepQueue({ limit: 1 })
  const order: string[] = []
  setImmediate(() => void order.push('other work'))
  const steps = ['first step', 'second step'].map((name) =>
    run(ANN, () => {
      work(LONG_MS)
      order.push(name)
    }),
  )
  await Promise.all(steps)
  expect(order).toEqual(['first step', 'other work', 'second step'])
})

test('accounts take turns, however many steps one of them has waiting', async () => {
  const run = createStepQueue({ limit: 1 })
  const order: number[] = []
  const step = (account: number) => run(account, async () => void order.push(account))
  await Promise.all([step(ANN), step(ANN), step(ANN), step(BOB)])
  expect(order).toEqual([ANN, ANN, BOB, ANN])
})

test('steps of long reads wait for those of others, but not for ever', async () => {
  const run = createStepQueue({ limit: 1 })
  const order: string[] = []
  const steps = [
    run(ANN, async () => void order.push('long'), true),
    run(ANN, async () => void order.push('long'), true),
    ...Array.from({ length: 5 }, () => run(BOB, async () => void order.push('short'))),
  ]
  await Promise.all(steps)
  expect(order).toEqual(['long', 'short', 'short', 'long', 'short', 'short', 'short'])
})

test('a step that fails rejects its own call and no other', async () => {
  const run = createStepQueue({ limit: 1 })
  const failing = run(ANN, () => {
    throw new Error('broken')
  })
  const next = run(ANN, () => 'done')
  await expect(failing).rejects.toThrow('broken')
  expect(await next).toBe('done')
})
