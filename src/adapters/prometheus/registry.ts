import type { Metric, Registry } from 'prom-client'
import type { NamedSamples, Sample, ThreadSamples } from './samples.ts'

export interface Collected {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /**
   * What several threads count: `sum`, unless it says that each of them sees the `same` from its beginning on, or that it
   * is known for the whole `process`.
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
  read: (collected: Collected) => readonly Sample[] | Promise<readonly Sample[]>,
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

const kindOf = ({ type, across }: Collected): keyof ThreadSamples =>
  type === 'gauge' ? 'present' : across === 'same' ? 'seen' : 'done'

/** If there is one thread. */
const ofOneThread = async ({ done, seen, present }: ThreadSamples): Promise<NamedSamples> => ({
  ...done,
  ...seen,
  ...present,
})

/**
 * The library only formats the text; values are counted elsewhere and read at each scrape. `addOthers` adds what the
 * other threads have counted.
 */
export const createExposition = (
  metrics: readonly Collected[],
  failed: (name: string, error: unknown) => void,
  addOthers: (own: ThreadSamples) => Promise<NamedSamples> = ofOneThread,
): Exposition => {
  const shared = metrics.filter(({ across }) => across !== 'process')
  let registry: Registry | null = null
  let totals: NamedSamples = {}
  const readOwn = async ({ name, samples }: Collected): Promise<readonly Sample[]> => {
    try {
      return await samples()
    } catch (error) {
      failed(name, error)
      return []
    }
  }
  const collect = async (): Promise<ThreadSamples> => {
    const samples = await Promise.all(shared.map(readOwn))
    const read = shared.map((metric, at) => ({ kind: kindOf(metric), name: metric.name, own: samples[at] ?? [] }))
    const of = (kind: keyof ThreadSamples): NamedSamples =>
      Object.fromEntries(read.filter((one) => one.kind === kind).map(({ name, own }) => [name, own]))
    return { done: of('done'), seen: of('seen'), present: of('present') }
  }
  const read = (collected: Collected): readonly Sample[] | Promise<readonly Sample[]> =>
    collected.across === 'process' ? readOwn(collected) : (totals[collected.name] ?? [])
  return {
    contentType: CONTENT_TYPE,
    async expose() {
      registry ??= registryOf(metrics, read)
      totals = await addOthers(await collect())
      return registry.metrics()
    },
    async read(names) {
      totals = await addOthers(await collect())
      const asked = metrics.filter(({ name }) => names.includes(name))
      return new Map(await Promise.all(asked.map(async (one) => [one.name, await read(one)] as const)))
    },
    collect,
  }
}

/** One sample without labels. */
export const unlabelledSample = (value: number): readonly Sample[] => [{ labels: {}, value }]

/** One sample for each value of a label. */
export const samplesBy = (label: string, values: Iterable<readonly [string, number]>): readonly Sample[] =>
  [...values].map(([name, value]) => ({ labels: { [label]: name }, value }))
