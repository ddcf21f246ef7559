import { createHistogram, type Histogram, LATENCY_BUCKETS } from './histogram.ts'
import type { Collected } from './registry.ts'

export interface Requests {
  readonly metrics: readonly Collected[]
  finished(method: string, route: string, status: number, durationMs: number): void
}

interface Entry {
  readonly method: string
  readonly route: string
  readonly statuses: Map<number, number>
  readonly durations: Histogram
}

const METHODS = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'])
/** The label of requests that match no route, so that unknown paths and methods create no metrics. */
const NONE = new Set(['', '/*'])

const DURATION = 'skep_http_request_duration_seconds'

export const createRequests = (): Requests => {
  /** By route, then by method. */
  const entries = new Map<string, Map<string, Entry>>()

  const open = (method: string, route: string): Entry => {
    const methods = entries.get(route) ?? new Map<string, Entry>()
    const entry = { method, route, statuses: new Map(), durations: createHistogram(LATENCY_BUCKETS) }
    entries.set(route, methods.set(method, entry))
    return entry
  }
  const all = (): readonly Entry[] => [...entries.values()].flatMap((methods) => [...methods.values()])

  return {
    finished(method, route, status, durationMs) {
      const toRoute = NONE.has(route) ? '(none)' : route
      const byMethod = METHODS.has(method) ? method : '(other)'
      const entry = entries.get(toRoute)?.get(byMethod) ?? open(byMethod, toRoute)
      entry.statuses.set(status, (entry.statuses.get(status) ?? 0) + 1)
      entry.durations.observe(durationMs / 1_000)
    },
    metrics: [
      {
        name: 'skep_http_requests_total',
        type: 'counter',
        help: 'Requests answered.',
        samples: () =>
          all().flatMap(({ method, route, statuses }) =>
            [...statuses].map(([status, value]) => ({ labels: { method, route, status }, value })),
          ),
      },
      {
        name: DURATION,
        type: 'histogram',
        help: 'Time from the head of a request to its answer.',
        samples: () => all().flatMap(({ method, route, durations }) => durations.samples(DURATION, { method, route })),
      },
    ],
  }
}
