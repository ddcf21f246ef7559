export type Labels = Readonly<Record<string, string | number>>

export interface Sample {
  /** If it differs from the metric's. */
  readonly metricName?: string
  readonly labels: Labels
  readonly value: number
}

/** By the name of the metric. */
export type NamedSamples = Readonly<Record<string, readonly Sample[]>>

/** What one thread has counted. */
export interface ThreadSamples {
  /** Counters and histograms of what this thread alone has done. */
  readonly done: NamedSamples
  /** Counters of what every thread sees. */
  readonly seen: NamedSamples
  /** Gauges. */
  readonly present: NamedSamples
}

const keyOf = ({ metricName = '', labels }: Sample): string => `${metricName} ${JSON.stringify(Object.entries(labels))}`

const add = (one: number, other: number): number => one + other

/** One sample for each set of labels, from those of several threads. */
export const mergeSamples = (threads: readonly (readonly Sample[])[], across: 'sum' | 'max'): readonly Sample[] => {
  const combine = across === 'sum' ? add : Math.max
  const merged = new Map<string, Sample>()
  for (const sample of threads.flat()) {
    const key = keyOf(sample)
    const known = merged.get(key)
    merged.set(key, known === undefined ? sample : { ...known, value: combine(known.value, sample.value) })
  }
  return [...merged.values()]
}

/** The same for each metric. */
export const mergeNamed = (threads: readonly NamedSamples[], across: 'sum' | 'max'): NamedSamples => {
  const names = new Set(threads.flatMap((samples) => Object.keys(samples)))
  const merge = (name: string) =>
    mergeSamples(
      threads.map((samples) => samples[name] ?? []),
      across,
    )
  return Object.fromEntries([...names].map((name) => [name, merge(name)]))
}
