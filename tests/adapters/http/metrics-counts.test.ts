import { describe, expect, test } from 'bun:test'
import { COLLECTIONS } from '../../../src/domain/collections/index.ts'
import { createMailbox } from '../../support/mail.ts'
import { parseMetrics, valueIn } from '../../support/metrics.ts'
import { KEY, metricsOf } from '../../support/read-metrics.ts'
import { startSkep } from '../../support/skep.ts'
import { before, openSocket } from '../../support/socket.ts'
import { until } from '../../support/until.ts'

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

const ann = await skep.member()

const { read, reaches, grows } = metricsOf(skep)

const create = () => skep.call('POST', '/items/', { token: ann.token, json: { title: 'Honey' } })

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
