import type { Distribution, Overview } from '../../application/ports/metrics.ts'
import type { JobState } from '../../domain/job.ts'
import type { Collected, Sample } from './registry.ts'

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
export const overviewOf = async (metrics: readonly Collected[]): Promise<Overview> => {
  const byName = new Map(metrics.map((metric) => [metric.name, metric]))
  const samplesOf = async (name: string) => (await byName.get(name)?.samples()) ?? []
  const firstOf = async (name: string): Promise<number | null> => (await samplesOf(name))[0]?.value ?? null
  const distribution = async (name: string) => distributionOf(name, await samplesOf(name))

  const requests = await samplesOf('skep_http_requests_total')
  const jobs = await samplesOf('skep_jobs')
  const countOf = (state: JobState) => sumOf(jobs.filter(({ labels }) => labels.state === state))
  return {
    startedAt: Math.round(((await firstOf('process_start_time_seconds')) ?? 0) * 1_000),
    requests: sumOf(requests),
    failedRequests: sumOf(requests.filter(({ labels }) => Number(labels.status) >= 500)),
    durations: await distribution('skep_http_request_duration_seconds'),
    eventLoopLag: await distribution('skep_event_loop_lag_seconds'),
    sockets: {
      open: (await firstOf('skep_sockets_open')) ?? 0,
      signedIn: (await firstOf('skep_sockets_signed_in')) ?? 0,
      subscriptions: (await firstOf('skep_socket_subscriptions')) ?? 0,
    },
    jobs:
      jobs.length === 0
        ? null
        : { queued: countOf('queued'), running: countOf('running'), done: countOf('done'), dead: countOf('dead') },
    memoryBytes: (await firstOf('process_resident_memory_bytes')) ?? 0,
    cpuSeconds: (await firstOf('process_cpu_seconds_total')) ?? 0,
    databaseBytes: await firstOf('skep_database_size_bytes'),
    userDataBytes: await firstOf('skep_user_data_bytes'),
    diskFreeBytes: await firstOf('skep_disk_free_bytes'),
    diskSizeBytes: await firstOf('skep_disk_size_bytes'),
  }
}
