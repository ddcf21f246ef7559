import { processorTime } from '../../tests/support/resources.ts'
import { fetched, loggedBy } from '../lib/beside.ts'
import { type Bar, type Case, type Context, type Figure, skipped } from '../lib/case.ts'
import type { Core } from '../lib/cores.ts'
import { canLimitCpu, limitCpu } from '../lib/cpu-limit.ts'
import { DRAFT } from '../lib/items.ts'
import type { Server } from '../lib/server.ts'
import { missingServices, type Services, startServices } from '../lib/services.ts'
import { signUp, startSkep } from '../lib/skep.ts'
import { median, spreadOf } from '../lib/statistics.ts'
import { runWrk } from '../lib/wrk.ts'

/** With fewer cores the services and the load take theirs from the two processes. */
const MIN_CORES_COUNT = 4
const BAR: Bar = { of: 'ratio', atLeast: 1.5 }
/** Of a core, for each process where cores are few: what is left is more than services and load need for both. */
const CORES_PER_PROCESS = 0.3

interface Measured {
  readonly requestsPerSecond: number
  /** Requests for each second of a process's processor time, by the number of processes. */
  readonly capacity: number
  /** How much of a core each process had, from 0 to 1 and a little over. */
  readonly busy: number
  /** Microseconds of processor time a request. */
  readonly postgres: number
  readonly redis: number
  /** Milliseconds; of two processes the longer. */
  readonly p50: number
  readonly p99: number
}

interface Setting {
  readonly context: Context
  readonly services: Services
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Of the load. */
  readonly core: Core
}

const measure = async (setting: Setting, processes: readonly Server[], seconds: number): Promise<Measured> => {
  const { context, services, path, headers, core } = setting
  const connections = context.settings.connections / processes.length
  const own = () => processes.reduce((sum, { pid }) => sum + processorTime(pid), 0)
  const before = { own: own(), ...services.processorTime() }
  const from = performance.now()
  const results = await Promise.all(
    processes.map(async (skep) => {
      const load = { url: skep.url + path, headers, connections: Math.ceil(connections), seconds, core }
      const result = await runWrk(load)
      loggedBy(skep)(result)
      return result
    }),
  )
  const passed = (performance.now() - from) / 1_000
  const after = { own: own(), ...services.processorTime() }
  const used = after.own - before.own
  const requests = results.reduce((sum, result) => sum + result.requests, 0)
  return {
    requestsPerSecond: results.reduce((sum, result) => sum + result.requestsPerSecond, 0),
    capacity: (requests / used) * processes.length,
    busy: used / passed / processes.length,
    postgres: ((after.postgres - before.postgres) / requests) * 1e6,
    redis: ((after.redis - before.redis) / requests) * 1e6,
    p50: Math.max(...results.map(({ p50 }) => p50)),
    p99: Math.max(...results.map(({ p99 }) => p99)),
  }
}

const TOO_FEW_CORES_NOTE =
  'too few cores for two processes, Postgres, Redis and the load: requests/s show how these were shared out, and what ' +
  'two do with a core each is reckoned from their processor time'
const LIMITED_NOTE = `so each process was also held to ${CORES_PER_PROCESS} of a core, which leaves the others enough, and the bar is on that`

interface Pair {
  readonly one: Measured
  readonly two: Measured
}

/** One process and two, in turn. */
const compare = async (setting: Setting, both: readonly Server[], what: string): Promise<readonly Pair[]> => {
  const { settings, progress } = setting.context
  const rounds: Pair[] = []
  await measure(setting, both, settings.warmupSeconds)
  for (let round = 1; round <= settings.rounds; round++) {
    const one = await measure(setting, both.slice(0, 1), settings.seconds)
    const two = await measure(setting, both, settings.seconds)
    rounds.push({ one, two })
    const [ofTwo, ofOne] = [two, one].map(({ requestsPerSecond }) => requestsPerSecond.toFixed(0))
    progress(`${what}, round ${round}: ${ofTwo} of two against ${ofOne} requests/s of one`)
  }
  return rounds
}

/** As {@link compare}, while each process has the same small share of a core, and no other. */
const compareLimited = async (setting: Setting, both: readonly Server[]): Promise<readonly Pair[]> => {
  using limits = new DisposableStack()
  for (const { pid } of both) limits.use(limitCpu(pid, CORES_PER_PROCESS))
  return await compare(setting, both, `${CORES_PER_PROCESS} of a core each`)
}

const figure = (
  rounds: readonly Pair[],
  { name, unit, of, bar }: { name: string; unit: string; of: (measured: Measured) => number; bar?: Bar | undefined },
): readonly Figure[] => {
  const value = median(rounds.map(({ two }) => of(two)))
  const floor = median(rounds.map(({ one }) => of(one)))
  const ratio = median(rounds.map(({ one, two }) => of(two) / of(one)))
  return Number.isNaN(value) ? [] : [{ name, unit, value, floor, ratio, ...(bar === undefined ? {} : { bar }) }]
}

const latency = (rounds: readonly Pair[], of: (measured: Measured) => number) => ({
  value: median(rounds.map(({ two }) => of(two))),
  floor: median(rounds.map(({ one }) => of(one))),
})

const rate = (rounds: readonly Pair[], name: string, bar?: Bar): readonly Figure[] =>
  figure(rounds, { name, unit: '', of: (each) => each.requestsPerSecond, bar }).map((each) => ({
    ...each,
    p50: latency(rounds, ({ p50 }) => p50),
    p99: latency(rounds, ({ p99 }) => p99),
  }))

const ratios = (rounds: readonly Pair[]) =>
  spreadOf(rounds.map(({ one, two }) => two.requestsPerSecond / one.requestsPerSecond))

/**
 * What a second process adds: the same load on one and on two that share a database, each limited to a core of its own.
 */
export const twoProcesses: Case = {
  name: 'two-processes',
  about: 'GET /api/v1/items/{id} of two processes on two cores, beside one, on the same Postgres and Redis',
  async run(context) {
    const missing = missingServices()
    if (missing !== null) return skipped(missing)
    const { cores, form, folder } = context
    const [second = null, ...others] = cores.rest
    const isRoomy = others.length + 2 >= MIN_CORES_COUNT
    // Null lets them run wherever there is time, which on few cores is the processes'.
    const core = isRoomy ? others : null
    await using services = await startServices(context, core)
    await using first = await startSkep(form, { folder: folder(), core: cores.server, env: services.env })
    await using other = await startSkep(form, { folder: folder(), core: second, env: services.env })
    const { token } = await signUp(first.url)
    const headers = { authorization: `Bearer ${token}` }
    const created = await fetched(`${first.url}/api/v1/items/`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: DRAFT,
      status: 201,
    })
    const path = created.headers.get('location') ?? ''
    const setting = { context, services, path, headers, core }

    const both = [first, other]
    const rounds = await compare(setting, both, 'all cores')
    const limited = !isRoomy && canLimitCpu() ? await compareLimited(setting, both) : []
    return {
      figures: [
        ...rate(rounds, 'requests/s, beside one', limited.length === 0 ? BAR : undefined),
        ...figure(rounds, { name: 'for a core each, beside one', unit: '/s', of: (each) => each.capacity }),
        ...figure(rounds, { name: 'of a core each', unit: '', of: (each) => each.busy }),
        ...figure(rounds, { name: 'Postgres, CPU/request', unit: 'µs', of: (each) => each.postgres }),
        ...figure(rounds, { name: 'Redis, CPU/request', unit: 'µs', of: (each) => each.redis }),
        ...rate(limited, `${CORES_PER_PROCESS} of a core each: requests/s, beside one`, BAR),
        ...figure(limited, { name: `${CORES_PER_PROCESS} of a core each: had`, unit: '', of: (each) => each.busy }),
      ],
      notes: isRoomy ? [] : [limited.length === 0 ? TOO_FEW_CORES_NOTE : `${TOO_FEW_CORES_NOTE}; ${LIMITED_NOTE}`],
      detail: {
        form: form.name,
        cores_of_their_own: isRoomy,
        ratio: ratios(rounds),
        rounds,
        ...(limited.length === 0
          ? {}
          : { share: CORES_PER_PROCESS, share_ratio: ratios(limited), share_rounds: limited }),
      },
    }
  },
}
