import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'
import { upload } from '../../support/uploads.ts'

interface Bucket {
  readonly up_to: number | null
  readonly count: number
}

interface OverviewBody {
  readonly started_at: string
  readonly created_at: string
  readonly readiness: { readonly status: string; readonly checks: Readonly<Record<string, string>> }
  readonly requests: number
  readonly failed_requests: number
  readonly durations: readonly Bucket[]
  readonly event_loop_lag: readonly Bucket[]
  readonly sockets: { readonly open: number }
  readonly jobs: Readonly<Record<string, number>>
  readonly memory_bytes: number
  readonly database_bytes: number
  readonly user_data_bytes: number
  readonly disk_free_bytes: number | null
  readonly disk_size_bytes: number | null
}

const skep = await startSkep()
const root = await createFirstAdmin(skep)
const ann = await skep.member()
await upload(skep.call, { token: ann.token, filename: 'dot.png' })

const read = async () => (await skep.call<OverviewBody>('GET', '/admin/overview', { token: root.token })).body

describe('the overview of a server', () => {
  test('is for admins', async () => {
    expect((await skep.call('GET', '/admin/overview')).status).toBe(401)
    expect((await skep.call('GET', '/admin/overview', { token: ann.token })).status).toBe(403)
    const { status, headers } = await skep.call('GET', '/admin/overview', { token: root.token })
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  })

  test('has the checks of /health/ready', async () => {
    const { readiness } = await read()
    expect(readiness).toEqual((await skep.call<typeof readiness>('GET', '//health/ready')).body)
  })

  test('counts requests and how long they took', async () => {
    const before = await read()
    for (let n = 0; n < 5; n++) await skep.call('GET', '/users/me', { token: ann.token })
    // What is counted after an answer comes a step later than the answer.
    await until(async () => (await read()).requests >= before.requests + 6)
    const { requests, failed_requests, durations, event_loop_lag } = await read()
    expect(failed_requests).toBe(0)
    for (const buckets of [durations, event_loop_lag]) {
      expect(buckets.at(-1)?.up_to).toBe(null)
      const counts = buckets.map(({ count }) => count)
      expect(counts).toEqual(counts.toSorted((one, other) => one - other))
    }
    expect(durations.at(-1)?.count).toBe(requests)
  })

  test('measures what is stored, and the process', async () => {
    const { started_at, created_at, memory_bytes, database_bytes, user_data_bytes, ...body } = await read()
    expect(Date.parse(started_at)).toBeLessThan(Date.parse(created_at))
    expect(memory_bytes).toBeGreaterThan(1_000_000)
    expect(database_bytes).toBeGreaterThan(100_000)
    expect(user_data_bytes).toBeGreaterThan(512)
    if (body.disk_size_bytes !== null) expect(body.disk_free_bytes).toBeLessThanOrEqual(body.disk_size_bytes)
    expect(Object.keys(body.jobs)).toEqual(['queued', 'running', 'done', 'dead'])
    expect(body.sockets.open).toBe(0)
  })
})
