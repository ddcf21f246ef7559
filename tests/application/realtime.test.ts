import { expect, test } from 'bun:test'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { AppError } from '../../src/domain/errors.ts'
import { collectionsOn } from '../support/collections.ts'
import { itemEvent } from '../support/events.ts'
import { createTestRealtime } from '../support/realtime.ts'
import { recordingLog } from '../support/skep.ts'
import { openTestStore } from '../support/store.ts'

const FIELDS = { title: 'x', description: null, data: {} }
const OWNER = { userId: 1, sessionId: 1, role: 'user' } as const

const requestFor = (topic: string) => ({ topic, after: null })

const open = async () => {
  const { store, path } = openTestStore()
  await store.beginEpoch()
  let failing: boolean | 'once' = false
  const unitOfWork: UnitOfWork = {
    ...store,
    async read(work) {
      const fails = failing
      if (fails === 'once') failing = false
      if (fails) throw new AppError('unavailable', 'no database')
      return store.read(work)
    },
  }
  const log = recordingLog()
  const realtime = createTestRealtime(unitOfWork, log)
  const append = (ownerId = 1) =>
    store.write((tx) =>
      tx.events.append(
        itemEvent('created', { id: 1, ownerId, ...FIELDS, version: 1, epoch: 'e', createdAt: 1, updatedAt: 1 }),
      ),
    )
  const epoch = await store.read(async (tx) => tx.epochs.current)
  const received: number[] = []
  const watchers = new Set<() => void>()
  return {
    realtime,
    append,
    log,
    path,
    at: (position: number) => ({ epoch, position }),
    restored: () => {},
    received,
    fail: (now: boolean | 'once') => {
      failing = now
    },
    onEvent: ({ position }: { position: number }) => {
      received.push(position)
      for (const watcher of watchers) watcher()
      return undefined
    },
    until: (count: number) =>
      new Promise<void>((resolve) => {
        const watcher = () => received.length >= count && resolve()
        watchers.add(watcher)
        watcher()
      }),
  }
}

test('begins at the end of the log, and delivers later events', async () => {
  const { realtime, append, received, onEvent, until, restored } = await open()
  await append()
  await realtime.start({ onEvent: onEvent, onCaughtUp: () => undefined, onRestored: restored })
  expect(realtime.position()).toBe(1)
  await append()
  await append()
  realtime.notify()
  await until(2)
  expect(received).toEqual([2, 3])
})

test('delivers commits during a read, however often it is notified', async () => {
  const { realtime, append, received, onEvent, until, restored } = await open()
  await realtime.start({ onEvent: onEvent, onCaughtUp: () => undefined, onRestored: restored })
  await Promise.all(
    Array.from({ length: 300 }, async () => {
      await append()
      realtime.notify()
    }),
  )
  await until(300)
  expect(received).toEqual(Array.from({ length: 300 }, (_, n) => n + 1))
})

test('counts events that are committed while nobody listens, and delivers later ones', async () => {
  const { realtime, append, received, onEvent, until, restored } = await open()
  let idle = true
  const skipped = new Map<string, number>()
  const onSkipped = (event: string, count: number) => void skipped.set(event, (skipped.get(event) ?? 0) + count)
  const listener = { onEvent, onCaughtUp: () => undefined, onRestored: restored, isIdle: () => idle, onSkipped }
  await realtime.start(listener)
  for (let count = 0; count < 3; count++) await append()
  await realtime.catchUp()
  expect([realtime.position(), [...skipped.values()], received]).toEqual([3, [3], []])
  idle = false
  await append()
  realtime.notify()
  await until(1)
  expect(received).toEqual([4])
})

test('delivers earlier events to a listener that arrives before they were skipped', async () => {
  const { realtime, append, received, onEvent, until, restored } = await open()
  let asked = 0
  const isIdle = () => asked++ === 0
  await realtime.start({ onEvent, onCaughtUp: () => undefined, onRestored: restored, isIdle })
  asked = 0
  await append()
  await realtime.catchUp()
  await until(1)
  expect(received).toEqual([1])
})

test('reads nothing after commits while nobody listens, until somebody asks', async () => {
  const { realtime, append, received, onEvent, restored } = await open()
  await realtime.start({ onEvent, onCaughtUp: () => undefined, onRestored: restored, isIdle: () => true })
  await append()
  realtime.notify()
  expect([realtime.isAsleep(), realtime.position()]).toEqual([true, 0])
  await realtime.catchUp()
  expect([realtime.isAsleep(), realtime.position(), received]).toEqual([false, 1, []])
})

test('stays asleep when the log cannot be read', async () => {
  const { realtime, append, onEvent, fail, restored } = await open()
  await realtime.start({ onEvent, onCaughtUp: () => undefined, onRestored: restored, isIdle: () => true })
  await append()
  realtime.notify()
  fail(true)
  await expect(realtime.catchUp()).rejects.toThrow('no database')
  expect(realtime.isAsleep()).toBe(true)
})

test('a failed read is logged and retried at the next call', async () => {
  const { realtime, append, received, onEvent, until, fail, log, restored, at } = await open()
  await realtime.start({ onEvent: onEvent, onCaughtUp: () => undefined, onRestored: restored })
  await append()
  fail(true)
  realtime.notify()
  // In line behind the failing read.
  await realtime.begin(at(99)).catch(() => {})
  expect(log.entries.map(({ level }) => level)).toEqual(['warn'])
  fail(false)
  realtime.notify()
  await until(1)
  expect(received).toEqual([1])
})

test('after a failed read, a newer cursor from another process is still valid', async () => {
  const { realtime, append, onEvent, fail, restored, at } = await open()
  await realtime.start({ onEvent: onEvent, onCaughtUp: () => undefined, onRestored: restored })
  await append()
  fail('once')
  await expect(realtime.begin(at(1))).rejects.toMatchObject({ code: 'unavailable' })
  expect(await realtime.begin(at(1))).toEqual({ position: 1, gap: false })
})

test('waits for a listener that requests it, and moves its position with each event', async () => {
  const { realtime, append, restored } = await open()
  const positions: number[] = []
  const gate = Promise.withResolvers<void>()
  const first = Promise.withResolvers<void>()
  const second = Promise.withResolvers<void>()
  await realtime.start({
    onEvent({ position }) {
      positions.push(realtime.position())
      if (position === 2) second.resolve()
      else first.resolve()
      return position === 1 ? gate.promise : undefined
    },
    onCaughtUp: () => undefined,
    onRestored: restored,
  })
  await append()
  await append()
  realtime.notify()
  await first.promise
  expect(positions).toEqual([1])
  gate.resolve()
  await second.promise
  expect(positions).toEqual([1, 2])
})

test('does not read the log again before its listener is ready, and then delivers everything committed meanwhile', async () => {
  const { realtime, append, received, onEvent, until, restored, at } = await open()
  const [rested, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const receivedAtPause: number[][] = []
  await append()
  await realtime.start({
    onEvent: onEvent,
    onCaughtUp() {
      receivedAtPause.push([...received])
      if (receivedAtPause.length !== 2) return undefined
      rested.resolve()
      return over.promise
    },
    onRestored: restored,
  })
  await append()
  realtime.notify()
  await rested.promise
  await append()
  await append()
  realtime.notify()
  over.resolve()
  await until(3)
  await realtime.begin(at(99))
  expect(receivedAtPause.slice(0, 3)).toEqual([[], [2], [2, 3, 4]])
})

test('replays up to its position and not beyond it', async () => {
  const { realtime, append, onEvent, restored, at } = await open()
  await realtime.start({ onEvent: onEvent, onCaughtUp: () => undefined, onRestored: restored })
  await append()
  await append(2)
  const replay = realtime.follow(await realtime.view(OWNER, requestFor('items')), 0)
  expect(await realtime.replay(replay, 0)).toEqual({ deliveries: [], position: 0 })
  realtime.notify()
  await realtime.begin(at(99))
  const replayed = await realtime.replay(replay, 0)
  expect(replayed?.deliveries.map(({ position }) => position)).toEqual([1])
  expect(replayed?.position).toBe(2)
})

test.each([1, 2])(
  'a replay notices a definition that changes before its read number %d, and that the feed has passed',
  async (n) => {
    const { store } = openTestStore()
    await store.beginEpoch()
    const { define, create, anAdmin, person } = collectionsOn(store)
    let readCount = 0
    let beforeRead: ((count: number) => Promise<void>) | null = null
    const unitOfWork: UnitOfWork = {
      ...store,
      async read(work) {
        await beforeRead?.(++readCount)
        return store.read(work)
      },
    }
    const realtime = createTestRealtime(unitOfWork, recordingLog())
    await realtime.start({ onEvent: () => undefined, onCaughtUp: () => undefined, onRestored: () => {} })
    const lists = { name: 'lists', schema: { type: 'object', properties: { open: { type: 'boolean' } } } }
    await define({ ...lists, rules: { read: 'true' } })
    await realtime.catchUp()
    const from = realtime.position()
    const replay = realtime.follow(await realtime.view(await person(), requestFor('lists')), from)
    await create(await anAdmin(), 'lists', { open: true })
    await realtime.catchUp()
    beforeRead = async (count) => {
      if (count !== n) return
      beforeRead = null
      await define({ ...lists, rules: { read: null } })
      await realtime.catchUp()
    }
    expect(await realtime.replay(replay, from)).toBeNull()
    await realtime.stop()
  },
)

test('accepts only known topics, some of them only for admins', async () => {
  const { realtime } = await open()
  await expect(realtime.view(OWNER, requestFor('users'))).rejects.toMatchObject({ code: 'not_found' })
  await expect(realtime.view(OWNER, requestFor('items/7'))).rejects.toMatchObject({ code: 'not_found' })
  await expect(realtime.view(OWNER, requestFor('items/all'))).rejects.toMatchObject({ code: 'forbidden' })
  await expect(realtime.view(OWNER, requestFor('jobs'))).rejects.toMatchObject({ code: 'forbidden' })
  expect(await realtime.view({ ...OWNER, role: 'admin' }, requestFor('jobs'))).toMatchObject({
    scope: { kind: 'jobs' },
  })
})

test('delivers nothing after it is stopped', async () => {
  const { realtime, append, received, onEvent, restored, at } = await open()
  await realtime.start({ onEvent: onEvent, onCaughtUp: () => undefined, onRestored: restored })
  await realtime.stop()
  await append()
  realtime.notify()
  await realtime.begin(at(99))
  expect(received).toEqual([])
})
