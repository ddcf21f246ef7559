import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { processorTime, residentMegabytes } from '../../tests/support/resources.ts'
import type { Probe } from '../loads/probe.ts'
import type { Plot, Series } from './plot.ts'
import type { Counts } from './soak-load.ts'
import { percentile } from './statistics.ts'

export interface Sample {
  readonly minutes: number
  readonly rss_mb: number
  /** As `/metrics` tells it; null where it does not. */
  readonly heap_mb: number | null
  readonly descriptors: number
  readonly wal_mb: number
  readonly database_mb: number
  /** Milliseconds that `GET /health` took, one every 50 ms. */
  readonly probe_p50_ms: number
  readonly probe_p99_ms: number
  /** Processor time by time passed; 1 is one core. */
  readonly cores: number
  readonly per_second: number
  readonly errors: number
  readonly refused: number
  readonly late: number
  readonly events: number
}

interface Options {
  readonly url: string
  readonly pid: number
  readonly database: string
  readonly metricsToken: string
  readonly counts: Counts
}

const megabytesOf = (path: string): number => (existsSync(path) ? statSync(path).size / 1e6 : 0)

const heapOf = async (url: string, token: string): Promise<number | null> => {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  const text = await response.text()
  const bytes = response.ok ? /^skep_heap_used_bytes ([\d.e+]+)/m.exec(text)?.[1] : undefined
  return bytes === undefined ? null : Number(bytes) / 1e6
}

/** Watches a server from outside. `take` answers what happened since the last time. */
export const createSampler = ({ url, pid, database, metricsToken, counts }: Options) => {
  const start = performance.now()
  let probes: number[] = []
  let last = { at: start, cpu: processorTime(pid), counts: { ...counts } }

  const prober = new Worker(join(import.meta.dir, '../loads/probe.ts'))
  prober.on('message', (data: Probe) => {
    if (typeof data === 'number') probes.push(data)
    else counts.errors++
  })
  prober.postMessage(`${url}/health`)

  return {
    async take(): Promise<Sample> {
      const heap = await heapOf(url, metricsToken)
      const now = { at: performance.now(), cpu: processorTime(pid), counts: { ...counts } }
      const seconds = (now.at - last.at) / 1_000
      const sample = {
        minutes: (now.at - start) / 60_000,
        rss_mb: residentMegabytes(pid),
        heap_mb: heap,
        descriptors: readdirSync(`/proc/${pid}/fd`).length,
        wal_mb: megabytesOf(`${database}-wal`),
        database_mb: megabytesOf(database),
        probe_p50_ms: percentile(probes, 50),
        probe_p99_ms: percentile(probes, 99),
        cores: (now.cpu - last.cpu) / seconds,
        per_second: (now.counts.answered - last.counts.answered) / seconds,
        errors: now.counts.errors - last.counts.errors,
        refused: now.counts.refused - last.counts.refused,
        late: now.counts.late - last.counts.late,
        events: now.counts.events - last.counts.events,
      }
      probes = []
      last = now
      return sample
    },
    stop: () => prober.terminate(),
  }
}

/** MB an hour by which resident memory grew over the last two thirds, by least squares; NaN of fewer than two samples. */
export const growthOf = (samples: readonly Sample[]): number => {
  const late = samples.slice(Math.floor(samples.length / 3))
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(late.map(({ minutes }) => minutes))
  const y = mean(late.map(({ rss_mb }) => rss_mb))
  const over = late.reduce((sum, { minutes, rss_mb }) => sum + (minutes - x) * (rss_mb - y), 0)
  return (60 * over) / late.reduce((sum, { minutes }) => sum + (minutes - x) ** 2, 0)
}

/** The samples as lines over time. */
export const plotOf = (samples: readonly Sample[], title: string): Plot => {
  const line = (name: string, value: (sample: Sample) => number | null): Series => ({
    name,
    points: samples.map((sample) => [sample.minutes, value(sample)]),
  })
  const heap = samples.some(({ heap_mb }) => heap_mb !== null) ? [line('heap', ({ heap_mb }) => heap_mb)] : []
  return {
    title,
    x: 'minutes',
    panels: [
      { label: 'memory, MB', series: [line('resident', ({ rss_mb }) => rss_mb), ...heap] },
      { label: 'open descriptors', series: [line('descriptors', ({ descriptors }) => descriptors)] },
      {
        label: 'on disk, MB',
        series: [line('database', ({ database_mb }) => database_mb), line('write-ahead log', ({ wal_mb }) => wal_mb)],
      },
      {
        label: 'answer to GET /health, ms',
        series: [line('p99', ({ probe_p99_ms }) => probe_p99_ms), line('p50', ({ probe_p50_ms }) => probe_p50_ms)],
      },
      { label: 'processor, cores', series: [line('cores', ({ cores }) => cores)] },
      {
        label: 'requests a second',
        series: [
          line('answered', ({ per_second }) => per_second),
          line('errors in 10 s', ({ errors }) => errors),
          line('refused in 10 s', ({ refused }) => refused),
        ],
      },
    ],
  }
}
