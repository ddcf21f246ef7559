import { expect, test } from 'bun:test'
import { createExposition } from '../../../src/adapters/prometheus/registry.ts'
import { mergeSamples } from '../../../src/adapters/prometheus/samples.ts'
import { createThreadTotals } from '../../../src/adapters/prometheus/thread-totals.ts'

test('samples of several threads are added where all labels are the same', () => {
  const one = [
    { labels: { method: 'GET', status: 200 }, value: 2 },
    { metricName: 'a_sum', labels: {}, value: 0.5 },
  ]
  const other = [
    { labels: { method: 'GET', status: 200 }, value: 3 },
    { labels: { method: 'GET', status: 404 }, value: 1 },
    { metricName: 'a_count', labels: {}, value: 4 },
  ]
  expect(mergeSamples([one, other], 'sum')).toEqual([
    { labels: { method: 'GET', status: 200 }, value: 5 },
    { metricName: 'a_sum', labels: {}, value: 0.5 },
    { labels: { method: 'GET', status: 404 }, value: 1 },
    { metricName: 'a_count', labels: {}, value: 4 },
  ])
})

test('what every thread sees is exposed once, and what the process has is not asked of others', async () => {
  const metricsOf = (value: number) =>
    (['sum', 'same', 'process'] as const).map((across) => ({
      name: `skep_${across}`,
      type: 'counter' as const,
      help: 'A test.',
      across,
      samples: () => [{ labels: {}, value }],
    }))
  const failed = () => {}
  const other = createExposition(metricsOf(5), failed)
  const exposition = createExposition(metricsOf(3), failed, async (own) => {
    const totals = createThreadTotals()
    const [first, second] = [totals.join(), totals.join()]
    first.note(own)
    second.note(await other.collect())
    return totals.current()
  })
  const text = await exposition.expose()
  expect(text.split('\n').filter((line) => line.startsWith('skep_'))).toEqual([
    'skep_sum 8',
    'skep_same 5',
    'skep_process 3',
  ])
  const sample = [{ labels: {}, value: 5 }]
  expect(await other.collect()).toEqual({ done: { skep_sum: sample }, seen: { skep_same: sample }, present: {} })
})
