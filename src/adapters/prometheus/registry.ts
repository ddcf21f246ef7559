import type { Metric, Registry } from 'prom-client'
import { mergeSamples, type Sample, type ThreadSamples } from './samples.ts'

export interface Collected {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /**
   * What several threads count: `sum`, unless it says that each of them sees the `same`, of which the latest is the
   * largest, or that it is known for the whole `process`.
   */
  readonly across?: 'sum' | 'same' | 'process'
  /** Called at each scrape. If it rejects, the metric has no samples. */
  readonly samples: () => readonly Sample[] | Promise<readonly Sample[]>
}

/** `Registry.PROMETHEUS_CONTENT_TYPE` */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface Exposition {
  readonly contentType: string
  /** The current value of every metric, in Prometheus' text format. */
  expose(): Promise<string>
  /** What this thread has counted, for the thread that exposes it. */
  collect(): Promise<ThreadSamples>
  /** The current samples of some metrics, by name. */
  read(names: readonly string[]): Promise<ReadonlyMap<string, readonly Sample[]>>
}

const registryOf = (
  metrics: readonly Collected[],
  read: (collected: Collected) => Promise<readonly Sample[]>,
): Registry => {
  // Loaded for the first scrape, because it would make every start longer.
  const { Registry } = require('prom-client') as typeof import('prom-client')
  const registry = new Registry()
  for (const collected of metrics) {
    const { name, type, help } = collected
    const metric = { name, get: async () => ({ name, type, help, values: await read(collected) }) }
    // The registry needs only a metric's name and `get`, but its types require the library's own classes.
    registry.registerMetric(metric as unknown as Metric)
  }
  return registry
}

/**
 * The library only formats the text; values are counted elsewhere and read at each scrape. `collectOthers` reads what the
 * other threads have counted.
 */
export const createExposition = (
  metrics: readonly Collected[],
  failed: (name: string, error: unknown) => void,
  collectOthers: () => Promise<readonly ThreadSamples[]>,
): Exposition => {
  let registry: Registry | null = null
  let others: readonly ThreadSamples[] = []
  const readOwn = async ({ name, samples }: Collected): Promise<readonly Sample[]> => {
    try {
      return await samples()
    } catch (error) {
      failed(name, error)
      return []
    }
  }
  const read = async (collected: Collected): Promise<readonly Sample[]> => {
    const own = await readOwn(collected)
    const { name, across = 'sum' } = collected
    if (across === 'process' || others.length === 0) return own
    return mergeSamples([own, ...others.map((samples) => samples[name] ?? [])], across === 'sum' ? 'sum' : 'max')
  }
  return {
    contentType: CONTENT_TYPE,
    async expose() {
      registry ??= registryOf(metrics, read)
      others = await collectOthers()
      return registry.metrics()
    },
    async read(names) {
      others = await collectOthers()
      const asked = metrics.filter(({ name }) => names.includes(name))
      return new Map(await Promise.all(asked.map(async (one) => [one.name, await read(one)] as const)))
    },
    async collect() {
      const shared = metrics.filter(({ across }) => across !== 'process')
      return Object.fromEntries(await Promise.all(shared.map(async (one) => [one.name, await readOwn(one)] as const)))
    },
  }
}

/** One sample without labels. */
export const unlabelledSample = (value: number): readonly Sample[] => [{ labels: {}, value }]

/** One sample for each value of a label. */
export const samplesBy = (label: string, values: Iterable<readonly [string, number]>): readonly Sample[] =>
  [...values].map(([name, value]) => ({ labels: { [label]: name }, value }))
