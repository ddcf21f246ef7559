import { expect, test } from 'bun:test'
import { createReadiness } from '../../../src/adapters/http/health.ts'
import { startSkep } from '../../support/skep.ts'

const counted = (uncached = false) => {
  const check = {
    name: 'counted',
    runs: 0,
    works: true,
    async run() {
      check.runs++
      if (!check.works) throw new Error('broken')
    },
    ...(uncached ? { uncached: true as const } : {}),
  }
  return check
}

test('readiness checks each part at most once a second, however many requests', async () => {
  let now = 0
  const check = counted()
  const ready = createReadiness([check], () => now)
  expect(await Promise.all(Array.from({ length: 100 }, ready))).toEqual(Array(100).fill(['ok']))
  check.works = false
  now = 999
  expect([await ready(), check.runs]).toEqual([['ok'], 1])
  now = 1_000
  expect([await ready(), await ready(), check.runs]).toEqual([['failed'], ['failed'], 2])
})

test('free checks run each time, so that a stop shows at once', async () => {
  const check = counted(true)
  const ready = createReadiness([check], () => 0)
  expect(await ready()).toEqual(['ok'])
  check.works = false
  expect(await ready()).toEqual(['failed'])
})

test('every part is named', async () => {
  const skep = await startSkep()
  const { status, body } = await skep.call('GET', '//health/ready')
  expect([status, body.status]).toEqual([200, 'ok'])
  expect(body.checks).toMatchObject({ accepting: 'ok', database: 'ok', files: 'ok' })
})
