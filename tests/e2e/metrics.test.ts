import { expect, test } from 'bun:test'
import { parseMetrics, valueIn } from '../support/metrics.ts'
import { folder, serve } from '../support/process.ts'
import { until } from '../support/until.ts'

test('METRICS_TOKEN reads the metrics of a running server', async () => {
  using home = folder()
  const token = 'scrape-me-0123456789'
  await using skep = await serve({ cwd: home.path, env: { METRICS_TOKEN: token } })
  expect((await skep.call('GET', '//metrics')).status).toBe(401)
  const read = () => skep.call<string>('GET', '//metrics', { token })
  const { status, body } = await read()
  expect(status).toBe(200)
  expect(parseMetrics(body).length).toBeGreaterThan(15)
  // Counted a step after its answer.
  const refusals = async () => valueIn((await read()).body, 'skep_http_requests_total', { status: '401' })
  await until(async () => (await refusals()) > 0)
  expect(await refusals()).toBe(1)
})
