import { processorTime, residentMegabytes } from '../../tests/support/resources.ts'
import type { Case, Context } from '../lib/case.ts'
import { startLoad } from '../lib/load.ts'
import { prepareMix } from '../lib/mix.ts'
import { startSkep } from '../lib/skep.ts'
import { percentile } from '../lib/statistics.ts'
import type { MixedInput, MixedReport } from '../loads/mixed.ts'

const OVERLOAD_FACTOR = 2
/** Of a core: a server that had less waited, and a load that had more may have been what it waited for. */
const SATURATED_RATIO = 0.9
/** Less than that was no overload worth the name. */
const MIN_LOAD_FACTOR = 1.8
const CONNECTIONS_COUNT = 1_000
const OVERLOAD_SECONDS = 5
const WARMUP_SECONDS = 2
const SUSTAINED_SECONDS = 1.5
/** More at once share a commit and its wait for the disk, so that a server may sustain more with them. */
const SUSTAINED_BY = [64, 256, CONNECTIONS_COUNT] as const

const LIGHT = { perSecond: 100, connections: 16 } as const
const LIGHT_BEFORE_SECONDS = 2.5
/** Long enough to see whether the bar is met, and the requests that prove it. */
const LIGHT_AFTER_SECONDS = 6
const LIGHT_WINDOW_COUNT = 100
/** Service is normal when the p99 is not more than twice as long as before. Times below this are all good. */
const NORMAL = { times: 2, leastMs: 20 } as const

const WATCH_MS = 50

/** What the server uses, from now on. */
const watch = (pid: number) => {
  const before = residentMegabytes(pid)
  let peak = before
  const samples: { readonly at: number; readonly used: number }[] = []
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMegabytes(pid))
    samples.push({ at: Date.now(), used: processorTime(pid) })
  }, WATCH_MS)
  return {
    memory: () => ({ before, peak, after: residentMegabytes(pid) }),
    /** How much of one core it had, of the time that the load took. */
    busy({ startedAt, stoppedAt }: MixedReport): number {
      const during = samples.filter(({ at }) => at >= startedAt && at <= stoppedAt)
      const [first, last] = [during.at(0), during.at(-1)]
      if (first === undefined || last === undefined) return Number.NaN
      return (last.used - first.used) / ((last.at - first.at) / 1_000)
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** Microseconds of processor time of the server for each success. */
const costOf = (report: MixedReport, busy: number): number => (busy * secondsOf(report) * 1e6) / report.succeeded

const percent = (share: number) => `${Math.round(share * 100)} %`

const secondsOf = ({ startedAt, stoppedAt }: MixedReport): number => (stoppedAt - startedAt) / 1_000

/** Seconds from the stop of the overload until requests are answered as before it; all that were seen when they never are. */
const recoveryOf = (light: MixedReport, overload: MixedReport, overloadBegan: number) => {
  const p99 = (some: MixedReport['times']) =>
    percentile(
      some.map(({ took }) => took),
      99,
    )
  const before = p99(light.times.filter(({ dueAt }) => dueAt < overloadBegan))
  const normal = Math.max(NORMAL.times * before, NORMAL.leastMs)
  const after = light.times.filter(({ dueAt }) => dueAt >= overload.stoppedAt)
  const windows = after.slice(0, 1 - LIGHT_WINDOW_COUNT).map(({ dueAt }, index) => ({
    seconds: (dueAt - overload.stoppedAt) / 1_000,
    p99: p99(after.slice(index, index + LIGHT_WINDOW_COUNT)),
  }))
  const back = windows.find((each) => each.p99 <= normal)
  const during = p99(light.times.filter(({ dueAt }) => dueAt >= overload.startedAt && dueAt < overload.stoppedAt))
  return {
    before,
    during,
    after: back?.p99,
    normal,
    seconds: back?.seconds ?? (light.stoppedAt - overload.stoppedAt) / 1_000,
  }
}

/** Connections that each ask again when they are answered. */
interface Closed {
  readonly connections: number
  readonly rate: number
  /** How much of one core the server had. */
  readonly busy: number
  readonly report: MixedReport
}

const measure = async ({ form, cores, folder, progress }: Context) => {
  await using skep = await startSkep(form, { folder: folder(), core: cores.server })
  const { requests, countCreated } = await prepareMix(skep)
  const load = (options: Pick<MixedInput, 'perSecond' | 'connections' | 'seconds'>, keepTimes = false) => {
    const input: MixedInput = { url: skep.url, requests, keepTimes, ...options }
    return startLoad<MixedReport>('mixed', input, { core: cores.load, seconds: options.seconds })
  }
  const warmup = await load({ perSecond: null, connections: SUSTAINED_BY[0], seconds: WARMUP_SECONDS }).report
  const closed: Closed[] = []
  for (const connections of SUSTAINED_BY) {
    using watched = watch(skep.pid)
    const report = await load({ perSecond: null, connections, seconds: SUSTAINED_SECONDS }).report
    const rate = report.succeeded / secondsOf(report)
    closed.push({ connections, rate, busy: watched.busy(report), report })
    progress(`${connections} connections get ${rate.toFixed(0)} requests/s`)
  }
  const sustained = closed.reduce((best, each) => (each.rate > best.rate ? each : best))

  const lightSeconds = LIGHT_BEFORE_SECONDS + 2 * OVERLOAD_SECONDS + LIGHT_AFTER_SECONDS
  const lightLoad = load({ ...LIGHT, seconds: lightSeconds }, true)
  await Bun.sleep(LIGHT_BEFORE_SECONDS * 1_000)
  using watched = watch(skep.pid)
  const began = Date.now()
  const perSecond = OVERLOAD_FACTOR * sustained.rate
  const overload = await load({ perSecond, connections: CONNECTIONS_COUNT, seconds: OVERLOAD_SECONDS }).report
  const answered = overload.succeeded / secondsOf(overload)
  progress(`answers ${answered.toFixed(0)} of ${perSecond.toFixed(0)} requests/s with success`)
  await Bun.sleep(overload.stoppedAt + LIGHT_AFTER_SECONDS * 1_000 - Date.now())
  const memory = watched.memory()
  const light = await lightLoad.stop()

  const acknowledged = [warmup, ...closed.map(({ report }) => report), overload, light].reduce(
    (sum, each) => sum + each.created,
    0,
  )
  const found = await countCreated()
  if (found !== acknowledged) throw new Error(`${acknowledged} items were acknowledged, ${found} are there`)
  return {
    closed,
    sustained,
    overload,
    answered,
    offered: overload.due / secondsOf(overload),
    busy: watched.busy(overload),
    memory,
    recovery: recoveryOf(light, overload, began),
  }
}

const withoutTimes = ({ times: _, ...rest }: MixedReport) => rest

/** Twice what is sustained comes in: most of it must be answered as well as ever, the rest refused in so many words. */
export const overload: Case = {
  name: 'overload',
  about: `reads, pages and creates at ${OVERLOAD_FACTOR} times the rate that is sustained, over ${CONNECTIONS_COUNT} connections`,
  async run(context) {
    const { closed, sustained, answered, offered, overload, busy, memory, recovery } = await measure(context)
    const { succeeded, refused } = overload
    const sustainable = sustained.rate
    // What it answers to more is what it could have sustained.
    const times = offered / Math.max(sustainable, answered)
    const cost = costOf(overload, busy)
    const costSustained = costOf(sustained.report, sustained.busy)
    const notes: string[] = []
    if (times < MIN_LOAD_FACTOR)
      notes.push(`what it sustains was found too low: only ${times.toFixed(2)} times was offered`)
    if (busy < SATURATED_RATIO)
      notes.push(`the server had ${percent(busy)} of a core: it waited for the disk, or something else ran`)
    const loadBusy = Math.max(sustained.report.busy, overload.busy)
    if (loadBusy > SATURATED_RATIO)
      notes.push(`the load had ${percent(loadBusy)} of its core, and may have been what limited`)
    return {
      figures: [
        { name: 'offered requests/s', unit: '', value: offered, floor: sustainable, ratio: offered / sustainable },
        {
          name: 'answered with success/s',
          unit: '',
          value: answered,
          floor: sustainable,
          ratio: answered / sustainable,
          bar: { of: 'ratio', atLeast: 0.8 },
        },
        { name: 'CPU/success', unit: 'µs', value: cost, floor: costSustained, ratio: cost / costSustained },
        { name: 'refused', unit: '%', value: (refused / (succeeded + refused)) * 100 },
        {
          name: 'slowest, since sent',
          unit: 's',
          value: overload.slowestSinceSent / 1_000,
          bar: { of: 'value', atMost: 5 },
        },
        { name: 'slowest, since due', unit: 's', value: overload.slowestSinceDue / 1_000 },
        { name: 'memory added', unit: 'MB', value: memory.peak - memory.before, bar: { of: 'value', atMost: 256 } },
        { name: 'back to normal after', unit: 's', value: recovery.seconds, bar: { of: 'value', atMost: 5 } },
      ],
      notes,
      detail: {
        form: context.form.name,
        sustained: closed.map(({ report, ...rest }) => ({ ...rest, ...withoutTimes(report), server_busy: rest.busy })),
        overload: { ...withoutTimes(overload), server_busy: busy },
        memory,
        p99_of_light_load: recovery,
      },
    }
  },
}
