import type { Distribution, Overview } from '../../application/ports/metrics.ts'
import type { JobState } from '../../domain/job.ts'
import type { Sample } from './registry.ts'

const REQUESTS = 'skep_http_requests_total'
const DURATIONS = 'skep_http_request_duration_seconds'
const LAG = 'skep_event_loop_lag_seconds'
const JOBS = 'skep_jobs'

const VALUES = {
  startedAt: 'process_start_time_seconds',
  open: 'skep_sockets_open',
  signedIn: 'skep_sockets_signed_in',
  subscriptions: 'skep_socket_subscriptions',
  memory: 'process_resident_memory_bytes',
  cpu: 'process_cpu_seconds_total',
  database: 'skep_database_size_bytes',
  users: 'skep_user_data_bytes',
  diskFree: 'skep_disk_free_bytes',
  diskSize: 'skep_disk_size_bytes',
} as const

/** The metrics that the overview is made of. */
export const OVERVIEW_METRICS: readonly string[] = [REQUESTS, DURATIONS, LAG, JOBS, ...Object.values(VALUES)]

const sumOf = (samples: readonly Sample[]): number => samples.reduce((sum, { value }) => sum + value, 0)

/** The buckets of a histogram, summed over all other labels. */
const distributionOf = (name: string, samples: readonly Sample[]): Distribution => {
  const counts = new Map<number, number>()
  for (const { metricName, labels, value } of samples) {
    if (metricName !== `${name}_bucket`) continue
    const upTo = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)
    counts.set(upTo, (counts.get(upTo) ?? 0) + value)
  }
  return [...counts].map(([upTo, count]) => ({ upTo, count })).toSorted((one, other) => one.upTo - other.upTo)
}

/** What the console shows, from the same samples that Prometheus scrapes. */
export const overviewOf = (metrics: ReadonlyMap<string, readonly Sample[]>): Overview => {
  const samplesOf = (name: string): readonly Sample[] => metrics.get(name) ?? []
  const readValue = (metric: keyof typeof VALUES): number | null => samplesOf(VALUES[metric])[0]?.value ?? null
  const requests = samplesOf(REQUESTS)
  const jobs = samplesOf(JOBS)
  const jobsIn = (state: JobState): number => sumOf(jobs.filter(({ labels }) => labels.state === state))
  return {
    startedAt: Math.round((readValue('startedAt') ?? 0) * 1_000),
    requests: sumOf(requests),
    failedRequests: sumOf(requests.filter(({ labels }) => Number(labels.status) >= 500)),
    durations: distributionOf(DURATIONS, samplesOf(DURATIONS)),
    eventLoopLag: distributionOf(LAG, samplesOf(LAG)),
    sockets: {
      open: readValue('open') ?? 0,
      signedIn: readValue('signedIn') ?? 0,
      subscriptions: readValue('subscriptions') ?? 0,
    },
    jobs:
      jobs.length === 0
        ? null
        : { queued: jobsIn('queued'), running: jobsIn('running'), done: jobsIn('done'), dead: jobsIn('dead') },
    memoryBytes: readValue('memory') ?? 0,
    cpuSeconds: readValue('cpu') ?? 0,
    databaseBytes: readValue('database'),
    userDataBytes: readValue('users'),
    diskFreeBytes: readValue('diskFree'),
    diskSizeBytes: readValue('diskSize'),
  }
}
