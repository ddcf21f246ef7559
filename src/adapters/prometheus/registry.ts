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
  /** Called at each scrape. */
  readonly samples: () => readonly Sample[] | Promise<readonly Sample[]>
}

export interface Exposition {
  readonly contentType: string
  /** The current value of every metric, in Prometheus' text format. */
  expose(): Promise<string>
}

/** The same metric, which has no samples while it cannot be read. */
export const withoutFailures =
  (failed: (name: string, error: unknown) => void) =>
  (metric: Collected): Collected => ({
    ...metric,
    async samples() {
      try {
        return await metric.samples()
      } catch (error) {
        failed(metric.name, error)
        return []
      }
    },
  })

/** The library only formats the text; values are counted elsewhere and read at each scrape. */
export const createExposition = (metrics: readonly Collected[]): Exposition => {
  const registry = new Registry()
  for (const { name, type, help, samples } of metrics) {
    const metric = { name, get: async () => ({ name, type, help, values: await samples() }) }
    // The registry needs only a metric's name and `get`, but its types require the library's own classes.
    registry.registerMetric(metric as unknown as Metric)
  }
  return { contentType: registry.contentType, expose: () => registry.metrics() }
}

/** One sample without labels. */
export const unlabelledSample = (value: number): readonly Sample[] => [{ labels: {}, value }]

/** One sample for each value of a label. */
export const samplesBy = (label: string, values: Iterable<readonly [string, number]>): readonly Sample[] =>
  [...values].map(([name, value]) => ({ labels: { [label]: name }, value }))
