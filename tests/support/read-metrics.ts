import { type Labels, valueIn } from './metrics.ts'
import type { TestSkep } from './skep.ts'
import { until } from './until.ts'

/** A `METRICS_TOKEN`. */
export const KEY = 'scrape-me_0123.~+/=='

/** What tests do with the metrics of a server with {@link KEY}. */
export const metricsOf = (skep: TestSkep) => {
  const read = async (): Promise<string> => (await skep.call<string>('GET', '//metrics', { token: KEY })).body

  /** Reads until a metric has this value: what is counted after an answer comes a step later than the answer. */
  const reaches = (value: number, name: string, labels: Labels = {}): Promise<void> =>
    until(async () => {
      const now = valueIn(await read(), name, labels)
      if (now > value) throw new Error(`${name} is ${now}, beyond ${value}`)
      return now === value
    })

  const grows = async (name: string, labels: Labels, by: number, act: () => Promise<unknown>): Promise<void> => {
    const before = valueIn(await read(), name, labels)
    await act()
    await reaches(before + by, name, labels)
  }
  return { read, reaches, grows }
}
