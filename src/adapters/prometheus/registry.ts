import { type Metric, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string | number>>

export interface Sample {
  /** If it differs from the metric's. */
  readonly metricName?: string
  readonly labels: Labels
  readonly value: number
}

export interface Collected {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** Called at each scrape. If it rejects, the metric has no samples. */
  readonly samples: () => readonly Sample[] | Promise<readonly Sample[]>
}

export interface Exposition {
  readonly contentType: string
  /** The current value of every metric, in Prometheus' text format. */
  expose(): Promise<string>
  /** The current samples of some metrics, by name. */
  read(names: readonly string[]): Promise<ReadonlyMap<string, readonly Sample[]>>
}

/** The library only formats the text; values are counted elsewhere and read at each scrape. */
export const createExposition = (
  metrics: readonly Collected[],
  failed: (name: string, error: unknown) => void,
): Exposition => {
  const registry = new Registry()
  const read = async ({ name, samples }: Collected): Promise<readonly Sample[]> => {
    try {
      return await samples()
    } catch (error) {
      failed(name, error)
      return []
    }
  }
  for (const collected of metrics) {
    const { name, type, help } = collected
    const metric = { name, get: async () => ({ name, type, help, values: await read(collected) }) }
    // The registry needs only a metric's name and `get`, but its types require the library's own classes.
    registry.registerMetric(metric as unknown as Metric)
  }
  return {
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    async read(names) {
      const asked = metrics.filter(({ name }) => names.includes(name))
      return new Map(await Promise.all(asked.map(async (one) => [one.name, await read(one)] as const)))
    },
  }
}

/** One sample without labels. */
export const unlabelledSample = (value: number): readonly Sample[] => [{ labels: {}, value }]

/** One sample for each value of a label. */
export const samplesBy = (label: string, values: Iterable<readonly [string, number]>): readonly Sample[] =>
  [...values].map(([name, value]) => ({ labels: { [label]: name }, value }))
