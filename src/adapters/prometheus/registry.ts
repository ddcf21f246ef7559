import type { Metric, Registry } from 'prom-client'

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

/** `Registry.PROMETHEUS_CONTENT_TYPE` */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface Exposition {
  readonly contentType: string
  /** The current value of every metric, in Prometheus' text format. */
  expose(): Promise<string>
}

const registryOf = (metrics: readonly Collected[], failed: (name: string, error: unknown) => void): Registry => {
  // Loaded for the first scrape, because it would make every start longer.
  const { Registry } = require('prom-client') as typeof import('prom-client')
  const registry = new Registry()
  for (const { name, type, help, samples } of metrics) {
    const read = async (): Promise<readonly Sample[]> => {
      try {
        return await samples()
      } catch (error) {
        failed(name, error)
        return []
      }
    }
    const metric = { name, get: async () => ({ name, type, help, values: await read() }) }
    // The registry needs only a metric's name and `get`, but its types require the library's own classes.
    registry.registerMetric(metric as unknown as Metric)
  }
  return registry
}

/** The library only formats the text; values are counted elsewhere and read at each scrape. */
export const createExposition = (
  metrics: readonly Collected[],
  failed: (name: string, error: unknown) => void,
): Exposition => {
  let registry: Registry | null = null
  const registered = (): Registry => {
    registry ??= registryOf(metrics, failed)
    return registry
  }
  return {
    contentType: CONTENT_TYPE,
    expose: () => registered().metrics(),
  }
}

/** One sample without labels. */
export const unlabelledSample = (value: number): readonly Sample[] => [{ labels: {}, value }]

/** One sample for each value of a label. */
export const samplesBy = (label: string, values: Iterable<readonly [string, number]>): readonly Sample[] =>
  [...values].map(([name, value]) => ({ labels: { [label]: name }, value }))
