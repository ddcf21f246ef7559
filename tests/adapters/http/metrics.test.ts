import { describe, expect, test } from 'bun:test'
import pkg from '../../../package.json' with { type: 'json' }
import { COLLECTIONS } from '../../../src/domain/collections/index.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Labels, type Metric, parseMetrics, valueIn } from '../../support/metrics.ts'
import { startSkep } from '../../support/skep.ts'
import { before, openSocket } from '../../support/socket.ts'
import { isShared } from '../../support/stack.ts'
import { until } from '../../support/until.ts'

const KEY = 'scrape-me_0123.~+/=='

const mailbox = createMailbox()
let working = true
let refused = 0
const refuse = () => {
  refused++
  return Promise.reject(new Error('refused'))
}
const skep = await startSkep(
  { METRICS_TOKEN: KEY },
  { mailer: { send: (mail, signal) => (working ? mailbox.send(mail, signal) : refuse()) } },
)
const root = await createFirstAdmin(skep)
const ann = await skep.member()

const read = async (): Promise<string> => (await skep.call<string>('GET', '//metrics', { token: KEY })).body

/** Reads until a metric has this value: what is counted after an answer comes a step later than the answer. */
const reaches = (value: number, name: string, labels: Labels = {}): Promise<void> =>
  until(async () => {
    const now = valueIn(await read(), name, labels)
    if (now > value) throw new Error(`${name} is ${now}, beyond ${value}`)
    return now === value
  })

const grows = async (name: string, labels: Labels, by: number, act: () => Promise<unknown>): Promise<void> => {
  const before = valueIn(await read(), name, labels)
  await act()
  await reaches(before + by, name, labels)
}

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

describe('requests', () => {
  const COUNT = 'skep_http_requests_total'

  test('are counted by method, template of the route and status', async () => {
    const route = '/api/v1/users/:id'
    const labels = { method: 'GET', route, status: '200' }
    const get = (id: number | string) => skep.call('GET', `/users/${id}`, { token: ann.token })
    await grows(COUNT, labels, 2, async () => [await get(ann.id), await get(ann.id)])
    await grows(COUNT, { ...labels, status: '404' }, 1, () => get(999_999))
    await grows(COUNT, { ...labels, status: '422' }, 1, () => get('x'))
    await grows(COUNT, { ...labels, status: '401' }, 1, () => skep.call('GET', `/users/${ann.id}`))
    await grows(COUNT, { ...labels, method: 'DELETE', status: '404' }, 1, () =>
      skep.call('DELETE', '/users/999999', { token: ann.token }),
    )
  })

  test('are measured by duration', async () => {
    const labels = { method: 'GET', route: '/health' }
    const name = 'skep_http_request_duration_seconds'
    const before = valueIn(await read(), `${name}_sum`, labels)
    await grows(`${name}_count`, labels, 1, () => skep.call('GET', '//health'))
    expect(valueIn(await read(), `${name}_sum`, labels)).toBeGreaterThan(before)
  })

  test('that match no route count together, whatever their path', async () => {
    const labels = { method: 'GET', route: '(none)', status: '404' }
    await grows(COUNT, labels, 3, async () => {
      for (const path of ['//made-up-1', '//made-up-2', '/made/up/3']) await skep.call('GET', path)
    })
    expect(await read()).not.toContain('made')
  })

  test('of unusual methods count together', async () => {
    await grows(COUNT, { method: '(other)' }, 2, async () => {
      for (const method of ['PROPFIND', 'REPORT']) await skep.call(method, '/items/', { token: ann.token })
    })
    expect(await read()).not.toMatch(/PROPFIND|REPORT/)
  })

  test('that become sockets are counted once', async () => {
    await grows(COUNT, { method: 'GET', route: '/ws/:client_id' }, 1, async () => {
      await using _socket = await openSocket(skep.url, { token: ann.token })
    })
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

describe('sockets', () => {
  test('are counted while they are open, signed in and subscribed', async () => {
    const counts = async () => {
      const text = await read()
      return ['skep_sockets_open', 'skep_sockets_signed_in', 'skep_socket_subscriptions'].map((name) =>
        valueIn(text, name),
      )
    }
    await reaches(0, 'skep_sockets_open')
    {
      await using anonymous = await openSocket(skep.url)
      anonymous.send('hello')
      await anonymous.until(() => anonymous.texts.length > 0)
      await using signedIn = await openSocket(skep.url, { token: ann.token })
      await signedIn.subscribe('items')
      expect(await counts()).toEqual([2, 1, 1])
    }
    await until(async () => (await counts()).every((count) => count === 0))
  })
})

describe('events', () => {
  test('are reported for every name from the start, so that the first counts as an increase', async () => {
    const fresh = await startSkep({ METRICS_TOKEN: KEY })
    const { body } = await fresh.call<string>('GET', '//metrics', { token: KEY })
    const appended = parseMetrics(body).find(({ name }) => name === 'skep_events_appended_total')
    const recordEvents = COLLECTIONS.flatMap(({ singular }) =>
      ['created', 'updated', 'deleted'].map((change) => `${singular}.${change}`),
    )
    expect(appended?.samples.map(({ labels, value }) => [labels.event, value])).toEqual(
      [...recordEvents, 'job.done', 'job.dead'].map((event) => [event, 0]),
    )
  })

  test('are counted when they are appended', async () => {
    await grows('skep_events_appended_total', { event: 'item.created' }, 1, create)
  })

  test('are counted once for each socket that they are sent to, live or missed', async () => {
    const delivered = 'skep_events_delivered_total'
    await using one = await openSocket(skep.url, { token: ann.token })
    await using other = await openSocket(skep.url, { token: ann.token })
    for (const socket of [one, other]) {
      await socket.subscribe('items')
      await socket.settled()
    }
    await grows(delivered, { how: 'live' }, 2, create)
    await using late = await openSocket(skep.url, { token: ann.token })
    await one.until(() => one.events().length > 0)
    const [event] = one.events()
    await grows(delivered, { how: 'replay' }, 1, () => late.subscribe('items', before(event?.cursor)))
  })
})

describe('jobs', () => {
  test('are counted by state', async () => {
    const isIdle = async () => {
      const text = await read()
      return (
        valueIn(text, 'skep_jobs', { state: 'queued' }) <= 2 && valueIn(text, 'skep_jobs', { state: 'running' }) === 0
      )
    }
    await until(isIdle)
    await grows('skep_jobs', { state: 'done' }, 1, () => skep.member())
    working = false
    await grows('skep_jobs', { state: 'queued' }, 1, async () => {
      await skep.member()
      await until(() => refused > 0)
    })
    working = true
    const text = await read()
    expect([valueIn(text, 'skep_jobs', { state: 'running' }), valueIn(text, 'skep_jobs', { state: 'dead' })]).toEqual([
      0, 0,
    ])
    expect(text).toContain('skep_jobs{state="dead"} 0')
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
