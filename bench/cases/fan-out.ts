import { processorTime } from '../../tests/support/resources.ts'
import { AUDIENCE, eventOf, SUBSCRIBE, socketUrl, startAudience } from '../lib/audience.ts'
import { fetched } from '../lib/beside.ts'
import type { Case, Context } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import { DRAFT } from '../lib/items.ts'
import { startLoad } from '../lib/load.ts'
import type { Server } from '../lib/server.ts'
import { median, spreadOf } from '../lib/statistics.ts'
import type { SubscribersInput, SubscribersReport } from '../loads/subscribers.ts'

/** Of one request. */
const CHANGES_COUNT = 100

interface Measured {
  readonly perSecond: number
  /** Microseconds of processor time. */
  readonly cpuPerDelivery: number
  /** How much of one core the server had. */
  readonly busy: number
}

type Target = Pick<SubscribersInput, 'change' | 'tokens'> & { readonly server: Server }

const measure = async ({ cores }: Context, target: Target, seconds: number): Promise<Measured> => {
  const { server, tokens, change } = target
  const input: SubscribersInput = { url: socketUrl(server), tokens, subscribe: SUBSCRIBE, change, seconds }
  const before = processorTime(server.pid)
  const load = startLoad<SubscribersReport>('subscribers', input, { core: cores.load, seconds })
  const report = await load.report
  const used = processorTime(server.pid) - before
  return {
    perSecond: report.deliveries / report.seconds,
    cpuPerDelivery: (used / report.deliveries) * 1e6,
    busy: used / report.seconds,
  }
}

/** One change that a thousand hear of, beside a raw server that hands the same text to as many. */
export const fanOut: Case = {
  name: 'fan-out',
  about: `changes that ${AUDIENCE} sockets hear of, beside raw Bun.serve and publish of the same text`,
  async run(context) {
    const core = context.cores.server
    await using audience = await startAudience(context)
    const { skep, tokens, headers } = audience
    const batch = (operations: readonly object[]) =>
      fetched(`${skep.url}/api/v1/items/batch`, { method: 'POST', headers, body: JSON.stringify({ operations }) })

    const draft: object = JSON.parse(DRAFT)
    const created = await batch(Array.from({ length: CHANGES_COUNT }, () => ({ op: 'create', ...draft })))
    const items = (JSON.parse(created.body) as { results: { id: number }[] }).results
    const operations = items.map(({ id }) => ({ op: 'update', id, title: 'Oak table, restored and sold' }))
    const text = await eventOf(audience, () => batch(operations.slice(0, 1)))
    await using floor = await startFloor('fan-out', { folder: context.folder(), core, args: [text] })

    const own: Target = {
      server: skep,
      tokens,
      change: {
        url: `${skep.url}/api/v1/items/batch`,
        method: 'POST',
        headers,
        body: JSON.stringify({ operations }),
        texts: CHANGES_COUNT,
      },
    }
    const raw: Target = {
      server: floor,
      tokens,
      change: {
        url: `${floor.url}/publish?times=${CHANGES_COUNT}`,
        method: 'POST',
        headers: {},
        body: '',
        texts: CHANGES_COUNT,
      },
    }
    const { rounds, seconds, warmupSeconds } = context.settings
    for (const target of [raw, own]) await measure(context, target, warmupSeconds)
    const pairs: { readonly skep: Measured; readonly floor: Measured }[] = []
    for (let round = 1; round <= rounds; round++) {
      const pair = { floor: await measure(context, raw, seconds), skep: await measure(context, own, seconds) }
      pairs.push(pair)
      const [ours, theirs] = [pair.skep.perSecond, pair.floor.perSecond]
      context.progress(`round ${round}: ${ours.toFixed(0)} against ${theirs.toFixed(0)} deliveries/s`)
    }
    const row = (name: string, unit: string, of: (measured: Measured) => number) => ({
      name,
      unit,
      value: median(pairs.map((pair) => of(pair.skep))),
      floor: median(pairs.map((pair) => of(pair.floor))),
      ratio: median(pairs.map((pair) => of(pair.skep) / of(pair.floor))),
    })
    return {
      figures: [
        { ...row('deliveries/s', '', ({ perSecond }) => perSecond), bar: { of: 'ratio', atLeast: 0.8 } },
        row('CPU/delivery', 'µs', ({ cpuPerDelivery }) => cpuPerDelivery),
        row('of a core', '', ({ busy }) => busy),
      ],
      detail: {
        form: context.form.name,
        sockets: tokens.length,
        bytes: text.length,
        ratio: spreadOf(pairs.map((pair) => pair.skep.perSecond / pair.floor.perSecond)),
        rounds: pairs,
      },
    }
  },
}
