import { AUDIENCE, type Audience, eventOf, SUBSCRIBE, socketUrl, startAudience } from '../lib/audience.ts'
import { fetched } from '../lib/beside.ts'
import type { Case, Context } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import { DRAFT } from '../lib/items.ts'
import { startLoad } from '../lib/load.ts'
import { processorTime } from '../lib/resources.ts'
import { type Measured, measure } from '../lib/rounds.ts'
import type { Server } from '../lib/server.ts'
import { median, spreadOf } from '../lib/statistics.ts'
import type { ChangesInput, ChangesReport } from '../loads/changes.ts'

const PER_SECOND = 200
const ITEMS = 100
/** Until all sockets are there. */
const GATHERING_SECONDS = 2
const MOST_PAIRS = 4
/** No change at all: the sockets are there in both measurements. */
const NONE = 0
/** Milliseconds between the texts of the raw server: as long as its p99 stays under the bar with some to spare. */
const RAW_EVERY = 40

const createItems = async ({ skep, headers }: Audience): Promise<readonly string[]> => {
  const operations = Array.from({ length: ITEMS }, () => ({ op: 'create', ...(JSON.parse(DRAFT) as object) }))
  const { body } = await fetched(`${skep.url}/api/v1/items/batch`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ operations }),
  })
  const { results } = JSON.parse(body) as { readonly results: readonly { readonly id: number }[] }
  return results.map(({ id }) => `/api/v1/items/${id}`)
}

/** Reads, and the changes beside them. */
interface Reads {
  readonly reads: Measured
  readonly changes: ChangesReport
}

interface Pair {
  readonly quiet: Reads
  readonly during: Reads
}

/** How much of one core changes took beside reads: what the reads did not, going by what each takes alone. */
const takenByChanges = ({ quiet, during }: Pair): number =>
  during.reads.busy - during.reads.requestsPerSecond * (quiet.reads.cpuPerRequest / 1e6)

/** How long it takes until a thousand sockets have heard of a change, and what that leaves for requests. */
export const commitToReceive: Case = {
  name: 'commit-to-receive',
  about: `${PER_SECOND} changes/s that ${AUDIENCE} sockets hear of, alone and beside reads from wrk`,
  async run(context: Context) {
    await using audience = await startAudience(context)
    const { skep, tokens, headers } = audience
    const { cores, settings, progress } = context
    const items = await createItems(audience)

    const changes = (server: Server, perSecond: number, seconds: number) => {
      const urls = items.map((path) => server.url + path)
      const of = { url: socketUrl(server), tokens, subscribe: SUBSCRIBE, items: urls, headers }
      const given: ChangesInput = { ...of, perSecond, seconds }
      return startLoad<ChangesReport>('changes', given, { core: cores.load, seconds: seconds + GATHERING_SECONDS })
    }
    const reads = async (server: Server, perSecond: number): Promise<Reads> => {
      const beside = changes(server, perSecond, settings.seconds + 2 * GATHERING_SECONDS)
      await Bun.sleep(GATHERING_SECONDS * 1_000)
      const target = { pid: server.pid, url: `${server.url}/api/v1/users/me`, headers }
      const measured = await measure(context, target, settings.seconds)
      server.takeLog()
      return { reads: measured, changes: await beside.stop() }
    }
    const readsBeside = async (server: Server, what: string, rounds: number) => {
      const pairs: Pair[] = []
      for (let round = 1; round <= rounds; round++) {
        const pair = { quiet: await reads(server, NONE), during: await reads(server, PER_SECOND) }
        pairs.push(pair)
        const [beside, without] = [pair.during, pair.quiet].map((at) => at.reads.requestsPerSecond.toFixed(0))
        const p99 = pair.during.changes.p99.toFixed(1)
        progress(`${what}, round ${round}: ${beside} against ${without} reads/s, p99 ${p99} ms`)
      }
      return pairs
    }

    const change = { method: 'PATCH', headers, body: JSON.stringify({ title: 'Oak table, restored' }) }
    const text = await eventOf(audience, () => fetched(skep.url + items[0], change))
    await changes(skep, PER_SECOND, settings.warmupSeconds).report
    const before = processorTime(skep.pid)
    const alone = await changes(skep, PER_SECOND, settings.rounds * settings.seconds).report
    if (alone.changes < PER_SECOND * alone.seconds * 0.95) throw new Error(`only ${alone.changes} changes were made`)
    const busy = (processorTime(skep.pid) - before) / alone.seconds
    progress(`p99 ${alone.p99.toFixed(1)} ms`)
    const rounds = Math.min(MOST_PAIRS, settings.rounds)
    const own = await readsBeside(skep, 'Skep', rounds)

    const args = [text, String(RAW_EVERY)]
    await using floor = await startFloor('commit-to-receive', { folder: context.folder(), core: cores.server, args })
    const raw = await readsBeside(floor, 'raw server', Math.ceil(rounds / 2))
    const ratios = own.map(({ quiet, during }) => during.reads.requestsPerSecond / quiet.reads.requestsPerSecond)
    const [taken, rawTaken] = [median(own.map(takenByChanges)), median(raw.map(takenByChanges))]
    return {
      figures: [
        {
          name: 'p99',
          unit: 'ms',
          value: alone.p99,
          p50: { value: alone.p50 },
          p99: { value: alone.p99 },
          bar: { of: 'value', atMost: 50 },
        },
        { name: 'slowest', unit: 'ms', value: alone.max },
        { name: 'of a core', unit: '', value: busy },
        {
          name: 'p99 beside reads',
          unit: 'ms',
          value: median(own.map(({ during }) => during.changes.p99)),
          floor: median(raw.map(({ during }) => during.changes.p99)),
          bar: { of: 'value', atMost: 50 },
        },
        { name: 'of a core, beside reads', unit: '', value: taken, floor: rawTaken, ratio: taken / rawTaken },
        {
          name: 'reads/s, beside none',
          unit: '',
          value: median(own.map(({ during }) => during.reads.requestsPerSecond)),
          floor: median(own.map(({ quiet }) => quiet.reads.requestsPerSecond)),
          ratio: median(ratios),
          bar: { of: 'ratio', atLeast: 0.8 },
        },
      ],
      notes: ['changes, sockets and wrk share one core here, and take from each other what the server would give'],
      detail: { form: context.form.name, sockets: tokens.length, alone, ratio: spreadOf(ratios), rounds: own, raw },
    }
  },
}
