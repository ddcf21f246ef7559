import { processorTime } from '../../tests/support/resources.ts'
import { type Audience, SUBSCRIBE, socketUrl, startAudience } from '../lib/audience.ts'
import { fetched } from '../lib/beside.ts'
import type { Bar, Case, Context, Figure } from '../lib/case.ts'
import { canLimitCpu, limitCpu } from '../lib/cpu-limit.ts'
import {
  createItems,
  followedOn,
  latencyDuringReadsFigure,
  measureReadsWithChanges,
  pairsOf,
  takenByChanges,
} from '../lib/followed.ts'
import { DRAFT } from '../lib/items.ts'
import { startLoad } from '../lib/load.ts'
import { median, spreadOf } from '../lib/statistics.ts'
import { runWrk } from '../lib/wrk.ts'
import type { SubscribersInput, SubscribersReport } from '../loads/subscribers.ts'

/** Of a core, for each thread: what is left is enough for the load. */
const CORES_PER_THREAD = 0.3
const THREADS_COUNT = 2
/** Of one request. */
const CHANGES_COUNT = 50
const LEAST_KEPT = 0.8
/** Those of one measurement may still be closing when the next one begins. */
const MORE_SOCKETS = { MAX_SOCKETS_PER_USER: '100' }
/** What the load needs beside a thousand sockets: without a limit, the threads would take it. */
const CORES_BESIDE_LOAD = 1.2

/** What is measured of a server. */
interface Measured {
  readonly perSecond: number
  /** How much of a core it had. */
  readonly busy: number
}

type Measure = (audience: Audience, seconds: number) => Promise<Measured>

const timed = async ({ skep }: Audience, work: () => Promise<number>): Promise<Measured> => {
  const [before, from] = [processorTime(skep.pid), performance.now()]
  const perSecond = await work()
  return { perSecond, busy: ((processorTime(skep.pid) - before) / (performance.now() - from)) * 1_000 }
}

const measuresOf = ({ settings, cores }: Context): Readonly<Record<'reads' | 'creates' | 'deliveries', Measure>> => {
  const { connections } = settings
  const core = cores.load
  return {
    async reads(audience, seconds) {
      const { skep, headers } = audience
      const created = await fetched(`${skep.url}/api/v1/items/`, { method: 'POST', headers, body: DRAFT, status: 201 })
      const url = skep.url + (created.headers.get('location') ?? '')
      const { authorization = '' } = headers
      const load = { url, headers: { authorization }, connections, seconds, core }
      return timed(audience, async () => (await runWrk(load)).requestsPerSecond)
    },
    async creates(audience, seconds) {
      const url = `${audience.skep.url}/api/v1/items/`
      const load = { url, method: 'POST', headers: audience.headers, body: DRAFT, connections, seconds, core }
      return timed(audience, async () => (await runWrk(load)).requestsPerSecond)
    },
    async deliveries(audience, seconds) {
      const { skep, tokens, headers } = audience
      const operations = Array.from({ length: CHANGES_COUNT }, () => ({ op: 'create', ...JSON.parse(DRAFT) }))
      const change = {
        ...{ url: `${skep.url}/api/v1/items/batch`, method: 'POST', headers, texts: CHANGES_COUNT },
        body: JSON.stringify({ operations }),
      }
      const input: SubscribersInput = { url: socketUrl(skep), tokens, subscribe: SUBSCRIBE, change, seconds }
      return timed(audience, async () => {
        const report = await startLoad<SubscribersReport>('subscribers', input, { core, seconds }).report
        return report.deliveries / report.seconds
      })
    },
  }
}

interface Pair {
  readonly one: Measured
  readonly two: Measured
}

interface Audiences {
  readonly one: Audience
  readonly two: Audience
}

const BARS: Readonly<Record<keyof ReturnType<typeof measuresOf>, Bar>> = {
  reads: { of: 'ratio', atLeast: 1.7 },
  creates: { of: 'ratio', atLeast: 1 },
  deliveries: { of: 'ratio', atLeast: 1.5 },
}

const ratioOf = ({ one, two }: Pair) => two.perSecond / one.perSecond

/**
 * Reads beside changes that a thousand sockets hear of. Two cores serve the load too here, so what reads would keep if
 * each thread had a core is reckoned from the processor time that the changes take.
 */
const measureBeside = async (context: Context, two: Audience) => {
  using limits = new DisposableStack()
  if (canLimitCpu()) limits.use(limitCpu(two.skep.pid, CORES_BESIDE_LOAD))
  const items = await createItems(two)
  const rounds = await measureReadsWithChanges(context, followedOn(two.skep, two, items), {
    what: 'two threads',
    rounds: pairsOf(context),
  })
  const taken = median(rounds.map(takenByChanges))
  const figures: readonly Figure[] = [
    { name: 'changes beside reads, of a core', unit: '', value: taken },
    {
      name: 'reads kept beside changes, for a core each',
      unit: '',
      value: 1 - taken / THREADS_COUNT,
      bar: { of: 'value', atLeast: LEAST_KEPT },
    },
    latencyDuringReadsFigure(rounds),
  ]
  return { figures, rounds }
}

/** The same load on both, in turn, each held to a share of a core for each of its threads where that is possible. */
const measureBoth = async (context: Context, { one, two }: Audiences) => {
  const { settings, progress } = context
  using limits = new DisposableStack()
  const isLimited = canLimitCpu()
  if (isLimited) {
    limits.use(limitCpu(one.skep.pid, CORES_PER_THREAD))
    limits.use(limitCpu(two.skep.pid, THREADS_COUNT * CORES_PER_THREAD))
  }
  const measures = measuresOf(context)
  const figures: Figure[] = []
  const detail: Record<string, unknown> = { form: context.form.name, share: isLimited ? CORES_PER_THREAD : null }
  for (const name of ['reads', 'creates', 'deliveries'] as const) {
    const measure = measures[name]
    for (const audience of [one, two]) await measure(audience, settings.warmupSeconds)
    const rounds: Pair[] = []
    for (let round = 1; round <= settings.rounds; round++) {
      const pair = { one: await measure(one, settings.seconds), two: await measure(two, settings.seconds) }
      rounds.push(pair)
      progress(`${name}, round ${round}: ${pair.two.perSecond.toFixed(0)} against ${pair.one.perSecond.toFixed(0)}/s`)
    }
    figures.push({
      name: `${name}/s, beside one thread`,
      unit: '',
      value: median(rounds.map((pair) => pair.two.perSecond)),
      floor: median(rounds.map((pair) => pair.one.perSecond)),
      ratio: median(rounds.map(ratioOf)),
      ...(isLimited ? { bar: BARS[name] } : {}),
    })
    detail[name] = { ratio: spreadOf(rounds.map(ratioOf)), rounds }
  }
  const note = isLimited
    ? `each program was held to ${CORES_PER_THREAD} of a core for each thread, which leaves the load enough`
    : 'the load takes its time from the program: no ratio is held against a bar'
  return { figures, note, detail }
}

/** What a second thread adds: the same load on a program with one and on one with two. */
export const workers: Case = {
  name: 'workers',
  about: 'reads, creates and deliveries of one program with two threads, beside one with one thread',
  async run(context) {
    await using one = await startAudience(context, { core: null, env: { WORKERS: '1' } })
    await using two = await startAudience(context, {
      core: null,
      env: { WORKERS: String(THREADS_COUNT), ...MORE_SOCKETS },
    })
    const { figures, note, detail } = await measureBoth(context, { one, two })
    const beside = await measureBeside(context, two)
    return {
      figures: [...figures, ...beside.figures],
      notes: [note],
      detail: { ...detail, beside: beside.rounds },
    }
  },
}
