import type { ComponentChildren } from 'preact'
import { useMemo } from 'preact/hooks'
import { ChartCard } from '../chart.tsx'
import { useSession } from '../context.ts'
import { type CheckState, type Overview, type Point, pointsOf } from '../overview-points.ts'
import { useOverview } from '../overview-polling.ts'
import { hrefOf } from '../router.ts'
import { PageHead } from '../shell.tsx'
import { bytes, count, Failure, Icon, Loading } from '../ui.tsx'

const LOOKS: Readonly<Record<CheckState, string>> = { ok: 'done', degraded: 'warn', failed: 'error' }
const WORDS: Readonly<Record<CheckState, string>> = { ok: 'works', degraded: 'degraded', failed: 'does not work' }
const STATUS: Readonly<Record<CheckState, string>> = { ok: 'Ready', degraded: 'Degraded', failed: 'Not ready' }

const SECONDS = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 })
const rate = (value: number): string => SECONDS.format(value)
const whole = (value: number): string => (Number.isInteger(value) ? count(value) : '')
const percent = (value: number): string => `${Math.round(value)} %`

const milliseconds = (value: number): string => {
  if (value >= 1_000) return `${SECONDS.format(value / 1_000)} s`
  return `${value < 10 ? SECONDS.format(value) : Math.round(value)} ms`
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const

/** The two largest units of a span. */
const span = (lengthMs: number): string => {
  const parts = UNITS.map(([unit, size], index) => {
    const before = UNITS[index - 1]?.[1] ?? Number.POSITIVE_INFINITY
    return [Math.floor((lengthMs % before) / size), unit] as const
  }).filter(([value]) => value > 0)
  return parts.length === 0
    ? 'less than a minute'
    : parts
        .slice(0, 2)
        .map(([value, unit]) => `${value} ${unit}`)
        .join(' ')
}

/** Nothing is known while the server does not answer. */
const Health = ({ readiness: { status, checks }, isKnown }: Overview & { isKnown: boolean }) => (
  <section class="card health" aria-labelledby="health">
    <h2 id="health">
      {isKnown ? <span class={`badge ${LOOKS[status]}`}>{STATUS[status]}</span> : <span class="badge">Unknown</span>}
    </h2>
    <ul>
      {Object.entries(isKnown ? checks : {}).map(([name, state]) => (
        <li key={name}>
          <span class={`dot ${LOOKS[state]}`} aria-hidden="true" />
          {name} <span class={state === 'ok' ? 'hidden' : 'quiet'}>{WORDS[state]}</span>
        </li>
      ))}
    </ul>
  </section>
)

const JOB_STATES = ['queued', 'running', 'done', 'dead'] as const

const JobCounts = ({ jobs }: Overview) => (
  <ul class="counts">
    {JOB_STATES.map((state) => (
      <li key={state}>
        <a href={hrefOf(`jobs?state=${state}`)} class={state === 'dead' && (jobs?.dead ?? 0) > 0 ? 'bad' : undefined}>
          <strong>{jobs === null ? '–' : count(jobs[state])}</strong> {state}
        </a>
      </li>
    ))}
  </ul>
)

const Fact = ({ label, children }: { label: string; children: ComponentChildren }) => (
  <div>
    <dt>{label}</dt>
    <dd>{children}</dd>
  </div>
)

const size = (value: number | null): string => (value === null ? '–' : bytes(value))

/** Below this share of free space, the bar of the disk is red. */
const LOW_RATIO = 0.1

const Storage = ({ database_bytes, user_data_bytes, disk_free_bytes, disk_size_bytes }: Overview) => {
  const isKnown = disk_free_bytes !== null && disk_size_bytes !== null && disk_size_bytes > 0
  const used = isKnown ? 1 - disk_free_bytes / disk_size_bytes : 0
  return (
    <section class="card chart-card storage" aria-labelledby="storage">
      <div class="chart-head">
        <h2 id="storage">Storage</h2>
      </div>
      <dl class="figures">
        <Fact label="Database">{size(database_bytes)}</Fact>
        <Fact label="User data">{size(user_data_bytes)}</Fact>
        <Fact label="Free on disk">{size(disk_free_bytes)}</Fact>
        <Fact label="Size of disk">{size(disk_size_bytes)}</Fact>
      </dl>
      {isKnown && (
        <>
          <svg
            class={used > 1 - LOW_RATIO ? 'bar low' : 'bar'}
            viewBox="0 0 100 1"
            preserveAspectRatio="none"
            aria-hidden="true"
          >
            <rect width={100 * used} height="1" />
          </svg>
          <p class="quiet">{percent(100 * used)} of the disk is used, by whatever is on it.</p>
        </>
      )}
      {!isKnown && <p class="quiet">The database and the files are on other servers.</p>}
    </section>
  )
}

/** Passed to charts, which are drawn anew when a function changes. */
const NO_POINTS: readonly Point[] = []

const Charts = ({ points, latest }: { points: readonly Point[]; latest: Overview }) => {
  const times = useMemo(() => points.map(({ at }) => at), [points])
  const line = (label: string, of: (point: Point) => number | null) => ({ label, values: points.map(of) })
  return (
    <>
      <ChartCard
        title="Requests"
        unit="requests per second"
        times={times}
        least={1}
        format={rate}
        lines={[line('per second', (p) => p.requestsPerSecond), line('failed', (p) => p.failedPerSecond)]}
      />
      <ChartCard
        title="Latency"
        unit="milliseconds"
        times={times}
        least={5}
        format={milliseconds}
        lines={[line('median', (p) => p.medianMs), line('p99', (p) => p.slowMs)]}
      />
      <ChartCard
        title="Event loop"
        unit="milliseconds of delay"
        times={times}
        least={5}
        format={milliseconds}
        lines={[line('p99 of its lag', (p) => p.lagMs)]}
      />
      <ChartCard
        title="Sockets"
        unit="open connections"
        times={times}
        least={4}
        format={whole}
        lines={[line('open', (p) => p.sockets)]}
      >
        {count(latest.sockets.signed_in)} signed in, {count(latest.sockets.subscriptions)} subscriptions
      </ChartCard>
      <ChartCard
        title="Jobs"
        unit="jobs"
        times={times}
        least={4}
        format={whole}
        lines={[line('queued', (p) => p.queuedJobs), line('running', (p) => p.runningJobs)]}
      >
        <JobCounts {...latest} />
      </ChartCard>
      <ChartCard
        title="Processor"
        unit="percent of one core"
        times={times}
        least={20}
        format={percent}
        lines={[line('of one core', (p) => p.cpuPercent)]}
      >
        {bytes(latest.memory_bytes)} of memory
      </ChartCard>
      <Storage {...latest} />
    </>
  )
}

/** Where to begin, as long as there is nothing but what Skep brings along. */
const FirstSteps = () => {
  const { collections } = useSession()
  if (collections.data === null || collections.data.some(({ built_in }) => !built_in)) return null
  return (
    <section class="card first-steps" aria-labelledby="first-steps">
      <Icon name="collection" />
      <div>
        <h2 id="first-steps">Define your first collection</h2>
        <p class="quiet">Name its fields and say who may read and change its records: that is your API.</p>
      </div>
      <a class="button primary" href={hrefOf('new-collection')}>
        Define a collection
      </a>
    </section>
  )
}

/** How the server is, and what it has been doing. */
export const OverviewPage = () => {
  const { user } = useSession()
  const { answers, error } = useOverview(user.id)
  const points = useMemo(() => (answers.length < 2 ? NO_POINTS : pointsOf(answers)), [answers])
  const latest = answers.at(-1) ?? null
  const about =
    latest === null
      ? undefined
      : `Skep ${latest.version}, up ${span(Date.parse(latest.created_at) - Date.parse(latest.started_at))}`
  return (
    <>
      <PageHead title="Overview" about={about} />
      <FirstSteps />
      <Failure error={error} />
      {latest === null && error === null && <Loading />}
      {latest !== null && (
        <div class="overview">
          <Health {...latest} isKnown={error === null} />
          <Charts points={points} latest={latest} />
        </div>
      )}
    </>
  )
}
