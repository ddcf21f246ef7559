import { processorTime } from '../../tests/support/resources.ts'
import type { ChangesInput, ChangesReport, Target } from '../loads/changes.ts'
import { type Audience, SUBSCRIBE, socketUrl } from './audience.ts'
import { fetched } from './beside.ts'
import type { Context, Figure } from './case.ts'
import { DRAFT } from './items.ts'
import { type LoadProgram, startLoad } from './load.ts'
import { type Measured, measure } from './rounds.ts'
import type { Server } from './server.ts'
import { median } from './statistics.ts'

/** How often something changes while it is followed. */
export const CHANGES_PER_SECOND = 200
const ITEMS_COUNT = 100
/** Until all sockets are there. */
const GATHERING_SECONDS = 2
const MAX_PAIRS_COUNT = 4
/** No change at all: the sockets are there in both measurements. */
const NONE = 0

/** A server, and sockets that follow what changes there. */
export interface Followed {
  readonly server: Server
  /** Of the socket. */
  readonly url: string
  /** One for each socket. */
  readonly tokens: readonly string[]
  readonly subscribe: string
  /** What is changed, and who hears of it. */
  readonly targets: readonly Target[]
}

/** What reads got, and the changes beside them. */
interface Reads {
  readonly reads: Measured
  readonly changes: ChangesReport
}

export interface Pair {
  readonly quiet: Reads
  readonly during: Reads
}

/** For so many seconds at most. */
const startChanges = (
  { cores }: Context,
  { server: _, ...followed }: Followed,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): LoadProgram<ChangesReport> => {
  const input: ChangesInput = { ...followed, perSecond, seconds }
  return startLoad<ChangesReport>('changes', input, { core: cores.load, seconds: seconds + GATHERING_SECONDS })
}

interface Alone extends ChangesReport {
  /** How much of one core the server had. */
  readonly busy: number
}

/** Changes and nothing else. */
export const changesAlone = async (context: Context, followed: Followed): Promise<Alone> => {
  const { settings, progress } = context
  const { pid } = followed.server
  await startChanges(context, followed, { perSecond: CHANGES_PER_SECOND, seconds: settings.warmupSeconds }).report
  const before = processorTime(pid)
  const seconds = settings.rounds * settings.seconds
  const report = await startChanges(context, followed, { perSecond: CHANGES_PER_SECOND, seconds }).report
  if (report.changes < CHANGES_PER_SECOND * report.seconds * 0.95)
    throw new Error(`only ${report.changes} changes were made`)
  progress(`p99 ${report.p99.toFixed(1)} ms`)
  return { ...report, busy: (processorTime(pid) - before) / report.seconds }
}

/** Reads as fast as they are answered, beside no changes and beside changes, in turn. */
export const measureReadsWithChanges = async (
  context: Context,
  followed: Followed,
  { what, rounds }: { readonly what: string; readonly rounds: number },
): Promise<readonly Pair[]> => {
  const { settings, progress } = context
  const { server, tokens } = followed
  const headers = { authorization: `Bearer ${tokens[0]}` }
  const reads = async (perSecond: number): Promise<Reads> => {
    const changes = startChanges(context, followed, { perSecond, seconds: settings.seconds + 2 * GATHERING_SECONDS })
    await Bun.sleep(GATHERING_SECONDS * 1_000)
    const target = { pid: server.pid, url: `${server.url}/api/v1/users/me`, headers }
    const measured = await measure(context, target, settings.seconds)
    server.takeLog()
    return { reads: measured, changes: await changes.stop() }
  }
  const pairs: Pair[] = []
  for (let round = 1; round <= rounds; round++) {
    const pair = { quiet: await reads(NONE), during: await reads(CHANGES_PER_SECOND) }
    pairs.push(pair)
    const [during, without] = [pair.during, pair.quiet].map((at) => at.reads.requestsPerSecond.toFixed(0))
    progress(
      `${what}, round ${round}: ${during} against ${without} reads/s, p99 ${pair.during.changes.p99.toFixed(1)} ms`,
    )
  }
  return pairs
}

/** So many pairs as are measured of a server. */
export const pairsOf = ({ settings }: Context): number => Math.min(MAX_PAIRS_COUNT, settings.rounds)

/** Creates items, and returns their paths. */
export const createItems = async ({ skep, headers }: Audience): Promise<readonly string[]> => {
  const operations = Array.from({ length: ITEMS_COUNT }, () => ({ op: 'create', ...(JSON.parse(DRAFT) as object) }))
  const { body } = await fetched(`${skep.url}/api/v1/items/batch`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ operations }),
  })
  const { results } = JSON.parse(body) as { readonly results: readonly { readonly id: number }[] }
  return results.map(({ id }) => `/api/v1/items/${id}`)
}

/** Items of the audience's server, which all of its sockets follow; also on a raw server that has the same paths. */
export const followedOn = (server: Server, { tokens }: Audience, items: readonly string[]): Followed => {
  const targets = items.map((path) => ({ url: server.url + path, token: tokens[0] ?? '' }))
  return { server, url: socketUrl(server), tokens, subscribe: SUBSCRIBE, targets }
}

/** How much of one core changes took beside reads: what the reads did not, going by what each takes alone. */
export const takenByChanges = ({ quiet, during }: Pair): number =>
  during.reads.busy - during.reads.requestsPerSecond * (quiet.reads.cpuPerRequest / 1e6)

/** What the reads kept, in each pair. */
export const kept = (pairs: readonly Pair[]): readonly number[] =>
  pairs.map(({ quiet, during }) => during.reads.requestsPerSecond / quiet.reads.requestsPerSecond)

/** The row of what reads keep. */
export const keptFigure = (pairs: readonly Pair[]): Figure => ({
  name: 'reads/s, beside none',
  unit: '',
  value: median(pairs.map(({ during }) => during.reads.requestsPerSecond)),
  floor: median(pairs.map(({ quiet }) => quiet.reads.requestsPerSecond)),
  ratio: median(kept(pairs)),
  bar: { of: 'ratio', atLeast: 0.8 },
})

/** The rows of how long it takes until a change is heard of. */
export const aloneFigures = ({ p50, p99, max, busy }: Alone): readonly Figure[] => [
  { name: 'p99', unit: 'ms', value: p99, p50: { value: p50 }, p99: { value: p99 }, bar: { of: 'value', atMost: 50 } },
  { name: 'slowest', unit: 'ms', value: max },
  { name: 'of a core', unit: '', value: busy },
]

/** The row of how long that takes beside reads. */
export const latencyDuringReadsFigure = (pairs: readonly Pair[]): Figure => ({
  name: 'p99 beside reads',
  unit: 'ms',
  value: median(pairs.map(({ during }) => during.changes.p99)),
  bar: { of: 'value', atMost: 50 },
})

export const SHARED_CORE =
  'changes, sockets and wrk share one core here, and take from each other what the server would give'
