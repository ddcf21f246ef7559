/** How many took at most so many seconds, together with all before; the last bucket has no bound. */
export interface Bucket {
  readonly up_to: number | null
  readonly count: number
}

/** What the server answers about itself. */
export interface Overview {
  readonly created_at: string
  readonly started_at: string
  readonly version: string
  readonly readiness: { readonly status: CheckState; readonly checks: Readonly<Record<string, CheckState>> }
  readonly requests: number
  readonly failed_requests: number
  readonly durations: readonly Bucket[]
  readonly event_loop_lag: readonly Bucket[]
  readonly sockets: { readonly open: number; readonly signed_in: number; readonly subscriptions: number }
  readonly jobs: Readonly<Record<'queued' | 'running' | 'done' | 'dead', number>> | null
  readonly memory_bytes: number
  readonly cpu_seconds: number
  readonly database_bytes: number | null
  readonly user_data_bytes: number | null
  readonly disk_free_bytes: number | null
  readonly disk_size_bytes: number | null
}

export type CheckState = 'ok' | 'degraded' | 'failed'

/** What happened between two answers. Null stands for what is not known. */
export interface Point {
  /** Milliseconds since 1970, by the clock of the server. */
  readonly at: number
  readonly requestsPerSecond: number | null
  readonly failedPerSecond: number | null
  /** Milliseconds that half of the requests took at most, and all but one in a hundred. */
  readonly medianMs: number | null
  readonly slowMs: number | null
  /** Milliseconds of all but one in a hundred waits for the event loop. */
  readonly lagMs: number | null
  readonly sockets: number | null
  readonly queuedJobs: number | null
  readonly runningJobs: number | null
  /** Of one core. */
  readonly cpuPercent: number | null
  readonly memoryBytes: number | null
}

/** How long the browser keeps answers. */
export const KEPT_MS = 600_000

/** Between answers further apart, nothing is known: the page was hidden or the server did not answer. */
const MAX_STEP_MS = 30_000

/**
 * Below which duration a share of what was counted between two answers lies, in milliseconds; interpolated within a
 * bucket, as Prometheus does. Null if nothing was counted.
 */
export const quantileMs = (share: number, before: readonly Bucket[], after: readonly Bucket[]): number | null => {
  const earlier = new Map(before.map(({ up_to, count }) => [up_to, count]))
  const buckets = after.map(({ up_to, count }) => ({ up_to, count: count - (earlier.get(up_to) ?? 0) }))
  const total = buckets.at(-1)?.count ?? 0
  if (total <= 0) return null
  const rank = share * total
  let lower = { up_to: 0, count: 0 }
  for (const { up_to, count } of buckets) {
    // Nothing is known of what is beyond the last bound.
    if (up_to === null) break
    if (count >= rank) {
      const within = count === lower.count ? 1 : (rank - lower.count) / (count - lower.count)
      return (lower.up_to + (up_to - lower.up_to) * within) * 1_000
    }
    lower = { up_to, count }
  }
  return lower.up_to * 1_000
}

const unknownAt = (at: number): Point => ({
  at,
  requestsPerSecond: null,
  failedPerSecond: null,
  medianMs: null,
  slowMs: null,
  lagMs: null,
  sockets: null,
  queuedJobs: null,
  runningJobs: null,
  cpuPercent: null,
  memoryBytes: null,
})

const pointOf = (before: Overview, after: Overview): Point => {
  const at = Date.parse(after.created_at)
  const elapsedMs = at - Date.parse(before.created_at)
  // Counters of another process, or of one that was restarted, do not continue these.
  if (before.started_at !== after.started_at || elapsedMs <= 0 || elapsedMs > MAX_STEP_MS) return unknownAt(at)
  const perSecond = (now: number, then: number) => Math.max(0, ((now - then) / elapsedMs) * 1_000)
  return {
    at,
    requestsPerSecond: perSecond(after.requests, before.requests),
    failedPerSecond: perSecond(after.failed_requests, before.failed_requests),
    medianMs: quantileMs(0.5, before.durations, after.durations),
    slowMs: quantileMs(0.99, before.durations, after.durations),
    lagMs: quantileMs(0.99, before.event_loop_lag, after.event_loop_lag),
    sockets: after.sockets.open,
    queuedJobs: after.jobs?.queued ?? null,
    runningJobs: after.jobs?.running ?? null,
    cpuPercent: perSecond(after.cpu_seconds, before.cpu_seconds) * 100,
    memoryBytes: after.memory_bytes,
  }
}

/** One point between each two successive answers. */
export const pointsOf = (answers: readonly Overview[]): readonly Point[] =>
  answers.slice(1).flatMap((after, index) => {
    const before = answers[index]
    return before === undefined ? [] : [pointOf(before, after)]
  })

/** The answers of the last ten minutes, with one more. */
export const withAnswer = (answers: readonly Overview[], latest: Overview): readonly Overview[] => {
  const oldest = Date.parse(latest.created_at) - KEPT_MS
  return [...answers.filter(({ created_at }) => Date.parse(created_at) >= oldest), latest]
}
