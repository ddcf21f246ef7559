import { describe, expect, test } from 'bun:test'
import pkg from '../../../package.json' with { type: 'json' }
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Labels, type Metric, parseMetrics, valueIn } from '../../support/metrics.ts'
import { KEY, metricsOf } from '../../support/read-metrics.ts'
import { startSkep } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'
import { isShared } from '../../support/stack.ts'
import { until } from '../../support/until.ts'

const skep = await startSkep({ METRICS_TOKEN: KEY }, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)
const ann = await skep.member()
const { read } = metricsOf(skep)

const create = () => skep.call('POST', '/items/', { token: ann.token, json: { title: 'Honey' } })

describe('who may read the metrics', () => {
  test('an admin, and a caller with METRICS_TOKEN', async () => {
    for (const token of [root.token, KEY]) {
      const { status, headers, body } = await skep.call<string>('GET', '//metrics', { token })
      expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
      expect(headers.get('cache-control')).toBe('no-store')
      expect(body).toContain('skep_build_info')
    }
  })

  test('nobody else', async () => {
    const refusal = async (token?: string) => {
      const { status, headers, body } = await skep.call('GET', '//metrics', { token })
      return [status, body.code, headers.get('content-type'), headers.has('www-authenticate')]
    }
    const problem = 'application/problem+json'
    expect(await refusal()).toEqual([401, 'unauthenticated', problem, true])
    expect(await refusal(ann.token)).toEqual([403, 'forbidden', problem, false])
    for (const wrong of [KEY.slice(0, -1), `${KEY}=`, KEY.toUpperCase()]) {
      expect(await refusal(wrong)).toEqual([401, 'invalid_token', problem, true])
    }
  })

  test('METRICS_TOKEN is valid for nothing else', async () => {
    for (const path of ['/users/me', '/users/', '/admin/jobs', '/items/', '/files/']) {
      expect({ path, status: (await skep.call('GET', path, { token: KEY })).status }).toEqual({ path, status: 401 })
    }
  })

  test('without the setting only an admin’s token is accepted, not even an empty one', async () => {
    const plain = await startSkep()
    for (const authorization of ['Bearer ', 'Bearer undefined', 'Bearer', `Bearer ${KEY}`]) {
      expect((await plain.call('GET', '//metrics', { headers: { authorization } })).status).toBe(401)
    }
  })
})

describe('the text', () => {
  test('parses, and every metric has a help, a type and a name of its own', async () => {
    const metrics = parseMetrics(await read())
    expect(metrics.length).toBeGreaterThan(15)
    for (const { name, help, type } of metrics) {
      expect(name).toMatch(/^(skep|process)_[a-z_]+$/)
      expect({ name, help }).toEqual({ name, help: expect.stringMatching(/\.$/) })
      expect(['counter', 'gauge', 'histogram']).toContain(type)
    }
    expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length)
  })

  test('has histograms whose buckets ascend to the count', async () => {
    const isHistogram = ({ type }: Metric) => type === 'histogram'
    for (const { name, samples } of parseMetrics(await read()).filter(isHistogram)) {
      const counts = samples.filter((sample) => sample.name === `${name}_count`)
      expect(counts.length).toBeGreaterThan(0)
      for (const { labels, value } of counts) {
        const same = (sample: { labels: Labels }) =>
          Object.entries(labels).every(([key, at]) => sample.labels[key] === at)
        const buckets = samples.filter((sample) => sample.name === `${name}_bucket` && same(sample))
        const values = buckets.map((bucket) => bucket.value)
        expect(values).toEqual(values.toSorted((a, b) => a - b))
        expect([buckets.at(-1)?.labels.le, values.at(-1)]).toEqual(['+Inf', value])
      }
    }
  })

  test('names every metric that docs/metrics.md does, and no other', async () => {
    const page = await Bun.file(`${import.meta.dir}/../../../docs/metrics.md`).text()
    const documented = [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name ?? '')
    expect(documented.sort()).toEqual(
      parseMetrics(await read())
        .map(({ name }) => name)
        .sort(),
    )
  })
})

describe('the event loop', () => {
  test('shows that it was delayed', async () => {
    const late = async () => {
      const text = await read()
      const within = valueIn(text, 'skep_event_loop_lag_seconds_bucket', { le: '0.1' })
      return valueIn(text, 'skep_event_loop_lag_seconds_count') - within
    }
    const before = await late()
    // Longer than a timer can already be under way.
    const end = performance.now() + 250
    while (performance.now() < end);
    await until(async () => (await late()) > before)
  })
})

describe('the database', () => {
  test('shows how long writes waited, how long commits took and how many writes each contained', async () => {
    const gate = { for: isShared ? 'connection' : 'writer' }
    const numbers = async () => {
      const text = await read()
      return {
        waits: valueIn(text, 'skep_database_wait_seconds_count', gate),
        waited: valueIn(text, 'skep_database_wait_seconds_sum', gate),
        commits: valueIn(text, 'skep_database_commit_duration_seconds_count'),
        took: valueIn(text, 'skep_database_commit_duration_seconds_sum'),
        units: valueIn(text, 'skep_database_commit_units_sum'),
      }
    }
    const before = await numbers()
    await Promise.all(Array.from({ length: 20 }, create))
    const after = await numbers()
    expect(after.waits - before.waits).toBeGreaterThanOrEqual(20)
    expect(after.units - before.units).toBeGreaterThanOrEqual(20)
    expect(after.commits).toBeGreaterThan(before.commits)
    expect(after.waited).toBeGreaterThan(before.waited)
    expect(after.took).toBeGreaterThan(before.took)
  })
})

describe('the process', () => {
  test('reports its age, memory, CPU time, descriptors and build', async () => {
    const text = await read()
    const now = Date.now() / 1_000
    expect(valueIn(text, 'process_start_time_seconds')).toBeWithin(now - 3_600, now)
    expect(valueIn(text, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    expect(valueIn(text, 'skep_build_info', { version: pkg.version, bun: Bun.version })).toBe(1)
    const until = process.cpuUsage().user + 20_000
    while (process.cpuUsage().user < until);
    expect(valueIn(await read(), 'process_cpu_seconds_total')).toBeGreaterThan(
      valueIn(text, 'process_cpu_seconds_total'),
    )
  })

  test.if(process.platform === 'linux')('counts its descriptors', async () => {
    const before = valueIn(await read(), 'process_open_fds')
    await using _socket = await openSocket(skep.url, { token: ann.token })
    const after = await read()
    expect(valueIn(after, 'process_open_fds')).toBeGreaterThan(before)
    expect(valueIn(after, 'process_max_fds')).toBeGreaterThan(before)
  })
})
