import { fetched, loggedBy } from '../lib/beside.ts'
import { type Bar, type Case, type Context, type Figure, skipped } from '../lib/case.ts'
import type { Core } from '../lib/cores.ts'
import { DRAFT } from '../lib/items.ts'
import { processorTime } from '../lib/resources.ts'
import type { Server } from '../lib/server.ts'
import { missingServices, type Services, startServices } from '../lib/services.ts'
import { signUp, startSkep } from '../lib/skep.ts'
import { median, spreadOf } from '../lib/statistics.ts'
import { runWrk } from '../lib/wrk.ts'

/** With fewer cores the services and the load take theirs from the two processes. */
const ENOUGH_CORES = 4
const BAR: Bar = { of: 'ratio', atLeast: 1.5 }

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

/** What a second process adds: the same load on one and on two that share a database, each held to a core of its own. */
export const twoProcesses: Case = {
  name: 'two-processes',
  about: 'GET /api/v1/items/{id} of two processes on two cores, beside one, on the same Postgres and Redis',
  async run(context) {
    const missing = missingServices()
    if (missing !== null) return skipped(missing)
    const { cores, form, folder, settings, progress } = context
    const [second = null, ...others] = cores.rest
    const isRoomy = others.length + 2 >= ENOUGH_CORES
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
    const rounds: { readonly one: Measured; readonly two: Measured }[] = []
    await measure(setting, both, settings.warmupSeconds)
    for (let round = 1; round <= settings.rounds; round++) {
      const pair = {
        one: await measure(setting, [first], settings.seconds),
        two: await measure(setting, both, settings.seconds),
      }
      rounds.push(pair)
      const [two, one] = [pair.two, pair.one].map(({ requestsPerSecond }) => requestsPerSecond.toFixed(0))
      progress(`round ${round}: ${two} of two against ${one} requests/s of one`)
    }

    const figure = (name: string, unit: string, of: (measured: Measured) => number, bar?: Bar): readonly Figure[] => {
      const value = median(rounds.map(({ two }) => of(two)))
      const floor = median(rounds.map(({ one }) => of(one)))
      const ratio = median(rounds.map(({ one, two }) => of(two) / of(one)))
      return Number.isNaN(value) ? [] : [{ name, unit, value, floor, ratio, ...(bar === undefined ? {} : { bar }) }]
    }
    const latency = (of: (measured: Measured) => number) => ({
      value: median(rounds.map(({ two }) => of(two))),
      floor: median(rounds.map(({ one }) => of(one))),
    })
    const times = { p50: latency(({ p50 }) => p50), p99: latency(({ p99 }) => p99) }
    const wall = figure('requests/s, beside one', '', (each) => each.requestsPerSecond, BAR)
    return {
      figures: [
        ...wall.map((each) => ({ ...each, ...times })),
        ...figure('for a core each, beside one', '/s', (each) => each.capacity),
        ...figure('of a core each', '', (each) => each.busy),
        ...figure('Postgres, CPU/request', 'µs', (each) => each.postgres),
        ...figure('Redis, CPU/request', 'µs', (each) => each.redis),
      ],
      notes: isRoomy
        ? []
        : [
            'too few cores for two processes, Postgres, Redis and the load: what two do with a core each is reckoned ' +
              'from their processor time, and is no proof; requests/s show how these cores were shared out',
          ],
      detail: {
        form: form.name,
        cores_of_their_own: isRoomy,
        ratio: spreadOf(rounds.map(({ one, two }) => two.requestsPerSecond / one.requestsPerSecond)),
        rounds,
      },
    }
  },
}
