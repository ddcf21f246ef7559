export type Labels = Readonly<Record<string, string | number>>

export interface Sample {
  /** If it differs from the metric's. */
  readonly metricName?: string
  readonly labels: Labels
  readonly value: number
}

/** What one thread has counted, by the name of the metric. */
export type ThreadSamples = Readonly<Record<string, readonly Sample[]>>

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
