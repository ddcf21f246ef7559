import type { DatabaseWait } from '../../application/ports/metrics.ts'
import { createHistogram, LATENCY_BUCKETS } from './histogram.ts'
import type { Collected } from './registry.ts'

const WAIT = 'skep_database_wait_seconds'
const COMMIT = 'skep_database_commit_duration_seconds'
const UNITS = 'skep_database_commit_units'

const COUNT_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]

export const createDatabaseMetrics = () => {
  const waits = { writer: createHistogram(LATENCY_BUCKETS), connection: createHistogram(LATENCY_BUCKETS) }
  const commits = createHistogram(LATENCY_BUCKETS)
  const perCommit = createHistogram(COUNT_BUCKETS)
  const metrics: readonly Collected[] = [
    {
      name: WAIT,
      type: 'histogram',
      help: 'Time that work waited for the writer or for a connection before it could begin.',
      samples: () => Object.entries(waits).flatMap(([wait, times]) => times.samples(WAIT, { for: wait })),
    },
    {
      name: COMMIT,
      type: 'histogram',
      help: 'Time from the beginning of a transaction to the end of its commit.',
      samples: () => commits.samples(COMMIT, {}),
    },
    {
      name: UNITS,
      type: 'histogram',
      help: 'Units of work that were committed together.',
      samples: () => perCommit.samples(UNITS, {}),
    },
  ]
  return {
    metrics,
    waited: (wait: DatabaseWait, durationMs: number): void => waits[wait].observe(durationMs / 1_000),
    committed(units: number, durationMs: number): void {
      perCommit.observe(units)
      commits.observe(durationMs / 1_000)
    },
  }
}
