import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type Bucket,
  KEPT_MS,
  type Overview,
  pointsOf,
  quantileMs,
  withAnswer,
} from '../../../src/adapters/http/console/app/overview-points.ts'

const BOUNDS = [0.001, 0.01, 0.1, null]

/** The buckets of these durations, in seconds. */
const bucketsOf = (durations: readonly number[]): readonly Bucket[] =>
  BOUNDS.map((up_to) => ({
    up_to,
    count: durations.filter((duration) => up_to === null || duration <= up_to).length,
  }))

const answerAt = (seconds: number, counted: Partial<Overview> = {}): Overview => ({
  created_at: new Date(1_700_000_000_000 + seconds * 1_000).toISOString(),
  started_at: '2023-11-14T00:00:00.000Z',
  version: '0.1.0',
  readiness: { status: 'ok', checks: {} },
  requests: 0,
  failed_requests: 0,
  durations: bucketsOf([]),
  event_loop_lag: bucketsOf([]),
  sockets: { open: 3, signed_in: 0, subscriptions: 0 },
  jobs: null,
  memory_bytes: 1,
  cpu_seconds: 0,
  database_bytes: null,
  user_data_bytes: null,
  disk_free_bytes: null,
  disk_size_bytes: null,
  ...counted,
})

describe('a quantile', () => {
  test('is in the bucket that contains the value of that rank', () => {
    const durations = fc.array(fc.double({ min: 0, max: 0.1, noNaN: true }), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(durations, durations, fc.constantFrom(0.5, 0.99), (earlier, later, share) => {
        const found = quantileMs(share, bucketsOf(earlier), bucketsOf([...earlier, ...later])) ?? Number.NaN
        const value = later.toSorted((one, other) => one - other)[Math.ceil(share * later.length) - 1] ?? Number.NaN
        const upper = BOUNDS.find((bound) => bound === null || value <= bound) ?? Number.POSITIVE_INFINITY
        const lower = BOUNDS.findLast((bound) => bound !== null && bound < value) ?? 0
        expect(found).toBeLessThanOrEqual(upper * 1_000 + 1e-9)
        expect(found).toBeGreaterThanOrEqual(lower * 1_000 - 1e-9)
      }),
    )
  })

  test('without values is unknown', () => {
    expect(quantileMs(0.5, bucketsOf([0.01]), bucketsOf([0.01]))).toBe(null)
  })
})

describe('the points of the charts', () => {
  test('are rates between two answers', () => {
    const [point] = pointsOf([
      answerAt(0, { requests: 10, cpu_seconds: 1 }),
      answerAt(2, { requests: 30, failed_requests: 1, cpu_seconds: 1.5 }),
    ])
    expect(point).toMatchObject({ requestsPerSecond: 10, failedPerSecond: 0.5, cpuPercent: 25, sockets: 3 })
  })

  test('are unknown after a restart, in another process, and after a pause', () => {
    const restarted = answerAt(4, { started_at: '2023-11-14T01:00:00.000Z' })
    const later = answerAt(120, { started_at: restarted.started_at })
    const points = pointsOf([answerAt(0), answerAt(2), restarted, later])
    expect(points.map(({ requestsPerSecond }) => requestsPerSecond)).toEqual([0, null, null])
  })

  test('of more than ten minutes ago are forgotten', () => {
    const answers = [0, 10, KEPT_MS / 1_000 + 5].reduce<readonly Overview[]>(
      (all, seconds) => withAnswer(all, answerAt(seconds)),
      [],
    )
    expect(answers).toHaveLength(2)
  })
})
