import { type Static, Type } from '@sinclair/typebox'

const Latency = Type.Object({ value: Type.Number(), floor: Type.Optional(Type.Number()) })

const Machine = Type.Object({
  cpu: Type.String(),
  cores: Type.Number(),
  memory_gb: Type.Number(),
  system: Type.String(),
})

/** What `bench/run.ts` writes, as far as it is reported. */
export const BenchResult = Type.Object({
  date: Type.String(),
  machine: Machine,
  versions: Type.Record(Type.String(), Type.String()),
  settings: Type.Object({
    rounds: Type.Number(),
    seconds: Type.Number(),
    warmupSeconds: Type.Number(),
    connections: Type.Number(),
    form: Type.String(),
    deployed_form: Type.String(),
  }),
  seconds: Type.Number(),
  cases: Type.Array(
    Type.Object({
      name: Type.String(),
      skipped: Type.Optional(Type.String()),
      figures: Type.Array(
        Type.Object({
          name: Type.String(),
          unit: Type.String(),
          value: Type.Number(),
          floor: Type.Optional(Type.Number()),
          ratio: Type.Optional(Type.Number()),
          p50: Type.Optional(Latency),
          p99: Type.Optional(Latency),
          bar: Type.Optional(
            Type.Object({
              of: Type.Union([Type.Literal('value'), Type.Literal('ratio')]),
              atLeast: Type.Optional(Type.Number()),
              atMost: Type.Optional(Type.Number()),
            }),
          ),
        }),
      ),
      notes: Type.Array(Type.String()),
    }),
  ),
})
export type BenchResult = Static<typeof BenchResult>

const Point = Type.Tuple([Type.Number(), Type.Union([Type.Number(), Type.Null()])])

/** What can be drawn by {@link renderPlot}. */
export const PlotResult = Type.Object({
  plot: Type.Object({
    title: Type.String(),
    x: Type.String(),
    panels: Type.Array(
      Type.Object({
        label: Type.String(),
        series: Type.Array(Type.Object({ name: Type.String(), points: Type.Array(Point) })),
        fromZero: Type.Optional(Type.Boolean()),
      }),
    ),
  }),
})

/** What `bench/soak.ts` writes, as far as it is reported. */
export const SoakResult = Type.Intersect([
  PlotResult,
  Type.Object({
    date: Type.String(),
    machine: Machine,
    versions: Type.Record(Type.String(), Type.String()),
    settings: Type.Object({ minutes: Type.Number(), rate: Type.Number(), actors: Type.Number(), seed: Type.Number() }),
    end: Type.String(),
    verdict: Type.Record(Type.String(), Type.Number()),
  }),
])
export type SoakResult = Static<typeof SoakResult>

/** Every case once, as the last run has it that has it. */
export const mergeResults = (runs: readonly BenchResult[]) => {
  const byName = new Map(runs.flatMap(({ cases }) => cases.map((each) => [each.name, each] as const)))
  return [...byName].map(([name, result]) => ({ name, result }))
}

/** Without the version of the kernel, which may be a name of somebody's own; the JSON has it. */
const machineOf = ({ cpu, cores, memory_gb, system }: Static<typeof Machine>): string =>
  `${cpu}, ${cores} cores, ${memory_gb} GB, ${system.split(' ', 2).join(' ')}`

const versionsOf = (versions: Readonly<Record<string, string>>): string =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')

/** Where, when and how a run was made, in two lines. */
export const describeRun = ({ date, machine, versions, settings, seconds, cases }: BenchResult): string => {
  const { rounds, connections, form, deployed_form, warmupSeconds } = settings
  const count = cases.length === 1 ? '1 case' : `${cases.length} cases`
  return (
    `${date.slice(0, 10)}, ${machineOf(machine)}; ${versionsOf(versions)}.\n` +
    `${count} in ${Math.floor(seconds / 60)} min ${seconds % 60} s: ${rounds} rounds of ${settings.seconds} s, ` +
    `${warmupSeconds} s to warm up, ${connections} connections; load on the ${form}, starts and idle memory of the ${deployed_form}.`
  )
}

const VERDICT: Readonly<Record<string, (value: number) => string>> = {
  rss_mb_per_hour: (value) =>
    `resident memory ${value < 0 ? '' : '+'}${value.toFixed(1)} MB/h over the last two thirds`,
  rss_mb_max: (value) => `at most ${value.toFixed(0)} MB of it`,
  descriptors_max: (value) => `at most ${value} open descriptors`,
  wal_mb_max: (value) => `a write-ahead log of at most ${value.toFixed(1)} MB`,
  probe_p99_ms_max: (value) => `the worst p99 of \`GET /health\` in 10 s ${value.toFixed(0)} ms`,
  cores_mean: (value) => `${value.toFixed(2)} cores in the mean`,
  errors: (value) => `${value} errors`,
}

/** A soak in two lines. */
export const describeSoak = ({ date, machine, versions, settings, end, verdict }: SoakResult): string => {
  const { minutes, rate, actors } = settings
  const seen = Object.entries(VERDICT).flatMap(([name, describe]) => {
    const value = verdict[name]
    return value === undefined ? [] : [describe(value)]
  })
  const state = end === 'done' ? '' : ' (not over yet)'
  return (
    `${date.slice(0, 10)}, ${machineOf(machine)}; ${versionsOf(versions)}.\n` +
    `${minutes} minutes${state} of ${rate} requests/s by ${actors} users: ${seen.join(', ')}.`
  )
}

/** The text with `content` between the markers of that name. Throws when it has none. */
export const fillIn = (text: string, name: string, content: string): string => {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const from = text.indexOf(begin)
  const to = text.indexOf(end, from)
  if (from === -1 || to === -1) throw new Error(`no ${begin} … ${end}`)
  return `${text.slice(0, from + begin.length)}\n${content === '' ? '' : `${content}\n`}${text.slice(to)}`
}
