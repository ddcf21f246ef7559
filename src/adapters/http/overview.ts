import { Elysia, type Static, t } from 'elysia'
import type { Distribution, Overview } from '../../application/ports/metrics.ts'
import { type CheckReadiness, ReadyResponse } from './health.ts'
import { integer } from './integer.ts'
import type { Kernel } from './kernel.ts'
import { problems } from './problems.ts'
import { Timestamp } from './schemas.ts'
import { toTimestamp } from './timestamps.ts'

/** Facts about the process. */
export interface OverviewSource {
  overview(): Promise<Overview>
}

const count = (description: string, example = 12) => integer({ minimum: 0, description, examples: [example] })

const size = (description: string, example: number) =>
  t.Nullable(integer({ minimum: 0, description, examples: [example] }))

const Bucket = t.Object(
  {
    up_to: t.Nullable(t.Number({ minimum: 0, description: 'Seconds; null in the last bucket', examples: [0.005] })),
    count: count('How many took at most this long', 4_711),
  },
  { title: 'DurationBucket' },
)

const buckets = (description: string) =>
  t.Array(Bucket, { description, examples: [[{ up_to: 0.005, count: 4_711 }]], maxItems: 100 })

const OverviewResponse = t.Object(
  {
    created_at: Timestamp,
    started_at: Timestamp,
    version: t.String({ description: 'Version of the program', examples: ['0.1.0'] }),
    readiness: ReadyResponse,
    requests: count('Requests answered', 4_711),
    failed_requests: count('Requests answered with a status from 500 on', 0),
    durations: buckets('How long requests took, in ascending order of `up_to`, each bucket with all before it'),
    event_loop_lag: buckets('How late timers were, likewise'),
    sockets: t.Object(
      {
        open: count('Open WebSocket connections'),
        signed_in: count('Those that have signed in', 11),
        subscriptions: count('What they listen to, all together', 23),
      },
      { title: 'SocketCounts' },
    ),
    jobs: t.Nullable(
      t.Object(
        {
          queued: count('Waiting jobs', 0),
          running: count('Running jobs', 1),
          done: count('Jobs that were done in the last day', 52),
          dead: count('Jobs that were given up in the last 30 days', 0),
        },
        { title: 'JobCounts', description: 'No count exceeds 100 000' },
      ),
    ),
    memory_bytes: count('Resident memory of the process', 91_226_112),
    cpu_seconds: t.Number({ minimum: 0, description: 'User and system time of the process', examples: [12.5] }),
    database_bytes: size('Size of the database, with its indexes and its log', 4_194_304),
    user_data_bytes: size('What counts towards the quotas of users: records, their history and files', 1_048_576),
    disk_free_bytes: size('Free space of the fullest disk that the server writes to', 52_613_349_376),
    disk_size_bytes: size('Size of that disk', 107_374_182_400),
  },
  {
    title: 'Overview',
    description: 'The counters of one process since it started. A value that cannot be read is null',
  },
)

const toBuckets = (distribution: Distribution): Static<typeof Bucket>[] =>
  distribution.map(({ upTo, count }) => ({ up_to: Number.isFinite(upTo) ? upTo : null, count }))

const toResponse = (
  overview: Overview,
): Omit<Static<typeof OverviewResponse>, 'created_at' | 'version' | 'readiness'> => ({
  started_at: toTimestamp(overview.startedAt),
  requests: overview.requests,
  failed_requests: overview.failedRequests,
  durations: toBuckets(overview.durations),
  event_loop_lag: toBuckets(overview.eventLoopLag),
  sockets: {
    open: overview.sockets.open,
    signed_in: overview.sockets.signedIn,
    subscriptions: overview.sockets.subscriptions,
  },
  jobs: overview.jobs,
  memory_bytes: overview.memoryBytes,
  cpu_seconds: overview.cpuSeconds,
  database_bytes: overview.databaseBytes,
  user_data_bytes: overview.userDataBytes,
  disk_free_bytes: overview.diskFreeBytes,
  disk_size_bytes: overview.diskSizeBytes,
})

interface OverviewDeps {
  readonly source: OverviewSource
  readonly checkReadiness: CheckReadiness
  readonly version: string
}

/** What the console shows of a running server, for admins. */
export const overviewRoutes = (kernel: Kernel, { source, checkReadiness, version }: OverviewDeps) =>
  new Elysia({ prefix: '/admin/overview', tags: ['admin'] }).use(kernel).get(
    '',
    async ({ set }) => {
      set.headers['cache-control'] = 'no-store'
      const [readiness, overview] = await Promise.all([checkReadiness(), source.overview()])
      return { created_at: toTimestamp(Date.now()), version, readiness, ...toResponse(overview) }
    },
    {
      admit: { who: 'admin' },
      response: { 200: OverviewResponse, ...problems() },
      detail: {
        operationId: 'getOverview',
        summary: 'Read the state of the server',
        description:
          'For admins: a few of the metrics, and the checks of `/health/ready`. With several processes, each answers for itself: `started_at` tells them apart.',
      },
    },
  )
