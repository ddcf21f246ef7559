import type { Labels, Sample } from './samples.ts'

export interface Histogram {
  observe(value: number): void
  samples(name: string, labels: Labels): readonly Sample[]
}

/**
 * Counts values up to each of `bounds`, in ascending order. Much cheaper than a library's histogram, which looks up
 * labels.
 */
export const createHistogram = (bounds: readonly number[]): Histogram => {
  const counts = new Float64Array(bounds.length + 1)
  let sum = 0
  return {
    observe(value) {
      let at = 0
      while (value > (bounds[at] ?? Number.POSITIVE_INFINITY)) at++
      counts[at] = (counts[at] ?? 0) + 1
      sum += value
    },
    samples(name, labels) {
      let total = 0
      const buckets = [...counts].map((count, index): Sample => {
        total += count
        return { metricName: `${name}_bucket`, labels: { ...labels, le: bounds[index] ?? '+Inf' }, value: total }
      })
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: total },
      ]
    },
  }
}

/** Seconds. */
export const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
