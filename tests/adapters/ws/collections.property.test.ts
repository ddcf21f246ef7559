import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { MAX_AFFECTED_COUNT } from '../../../src/application/record-deletions.ts'
import { type LiveMember, startLiveCollections } from '../../support/live-collections.ts'
import type { Follower } from '../../support/live-follower.ts'
import { action, createWorld } from '../../support/live-world.ts'

/** How long the test looks for a counterexample. The first run always ends. */
const SEARCH_MS = Number(process.env.TEST_SEARCH_MS ?? 2_000)
const MAX_RUNS_COUNT = 2_000
const DEADLINE_MS = 10_000
const MAX_CONCURRENT_COUNT = 6
const NEWEST_COUNT = 60

const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)

/** With every other seed, most cascades are more than one transaction may change. */
const skep = await startLiveCollections({ maxAffectedCount: seed % 2 === 0 ? 1 : MAX_AFFECTED_COUNT })
const people: readonly LiveMember[] = [await skep.member('admin'), await skep.member(), await skep.member()]
const changer = await skep.member('admin')
const cast = { skep, people, changer }

/** For whoever looks for the cause of a difference. */
const newestEvents = async () => {
  const query = { scope: 'all', after: 0, maxCount: 100_000, maxBytes: Number.MAX_SAFE_INTEGER } as const
  const { events } = await skep.store.read((tx) => tx.events.chunk(query))
  return events.slice(-NEWEST_COUNT).map(({ position, event, subjectId, previous, data }) => {
    const [before, after] = [JSON.stringify(previous), JSON.stringify(data)]
    return `${position} ${event} ${subjectId}: ${before} -> ${after}`
  })
}

/** Resolves when every client has what it should have. */
const untilEqual = async (followers: readonly Follower[]) => {
  const { promise: isOver, resolve } = Promise.withResolvers<true>()
  const timer = setTimeout(() => resolve(true), DEADLINE_MS)
  try {
    for (;;) {
      await skep.settled()
      const differences = []
      for (const follower of followers) {
        const difference = await follower.difference()
        if (difference !== null) differences.push({ difference, follower })
      }
      const [first] = differences
      if (first === undefined) return
      const isLost = await Promise.race([first.follower.hasMore().then((more) => !more), isOver])
      if (isLost) throw new Error(JSON.stringify({ ...first.difference, log: await newestEvents() }, null, 1))
    }
  } finally {
    clearTimeout(timer)
  }
}

let runs = 0

test('whoever applies the events to the list they have read holds what the server lists', async () => {
  console.info(`seed ${seed}`)
  const searchesUntil = Date.now() + SEARCH_MS
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(action, { minLength: 1, maxLength: 25 }), { minLength: 1, maxLength: 4 }),
      async (phases) => {
        if (runs > 0 && Date.now() > searchesUntil) return
        const { tryTo, followers, end } = await createWorld(cast, ++runs)
        try {
          for (const follower of followers) await follower.connect()
          for (const phase of phases) {
            // Changes of a phase overlap with each other and with their delivery.
            for (let from = 0; from < phase.length; from += MAX_CONCURRENT_COUNT) {
              await Promise.all(phase.slice(from, from + MAX_CONCURRENT_COUNT).map(tryTo))
            }
            for (const follower of followers) await follower.connect()
            await untilEqual(followers)
          }
        } finally {
          for (const follower of followers) await follower.drop(0)
          await end()
          for (const [index, person] of people.entries()) await person.setRole(index === 0 ? 'admin' : 'user')
        }
      },
    ),
    { seed, numRuns: MAX_RUNS_COUNT, endOnFailure: true },
  )
  console.info(`${runs} runs`)
  expect(runs).toBeGreaterThan(0)
}, 120_000)
