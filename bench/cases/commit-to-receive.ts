import { AUDIENCE, type Audience, SUBSCRIBE, startAudience } from '../lib/audience.ts'
import { fetched } from '../lib/beside.ts'
import type { Case, Context } from '../lib/case.ts'
import { DRAFT } from '../lib/items.ts'
import { startLoad } from '../lib/load.ts'
import { processorTime } from '../lib/resources.ts'
import { median, spreadOf } from '../lib/statistics.ts'
import { runWrk } from '../lib/wrk.ts'
import type { ChangesInput, ChangesReport } from '../loads/changes.ts'

const PER_SECOND = 200
const ITEMS = 100
/** Until all sockets are there. */
const GATHERING_SECONDS = 2
const MOST_PAIRS = 4
/** No change at all: the sockets are there in both measurements. */
const NONE = 0

const createItems = async ({ skep, headers }: Audience): Promise<string[]> => {
  const operations = Array.from({ length: ITEMS }, () => ({ op: 'create', ...(JSON.parse(DRAFT) as object) }))
  const { body } = await fetched(`${skep.url}/api/v1/items/batch`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ operations }),
  })
  const { results } = JSON.parse(body) as { readonly results: readonly { readonly id: number }[] }
  return results.map(({ id }) => `${skep.url}/api/v1/items/${id}`)
}

/** How long it takes until a thousand sockets have heard of a change, and what that leaves for requests. */
export const commitToReceive: Case = {
  name: 'commit-to-receive',
  about: `${PER_SECOND} changes/s that ${AUDIENCE} sockets hear of, alone and beside reads from wrk`,
  async run(context: Context) {
    await using audience = await startAudience(context)
    const { skep, url, tokens, headers } = audience
    const { cores, settings, progress } = context
    const input = { url, tokens, subscribe: SUBSCRIBE, items: await createItems(audience), headers }

    const changes = (perSecond: number, seconds: number) => {
      const given: ChangesInput = { ...input, perSecond, seconds }
      return startLoad<ChangesReport>('changes', given, { core: cores.load, seconds: seconds + GATHERING_SECONDS })
    }
    const reads = async (perSecond: number, seconds: number) => {
      const beside = changes(perSecond, seconds + 2 * GATHERING_SECONDS)
      await Bun.sleep(GATHERING_SECONDS * 1_000)
      const { connections } = settings
      const load = { url: `${skep.url}/api/v1/users/me`, headers, connections, seconds, core: cores.load }
      const { requestsPerSecond } = await runWrk(load)
      skep.takeLog()
      return { requestsPerSecond, ...(await beside.stop()) }
    }

    await changes(PER_SECOND, settings.warmupSeconds).report
    const before = processorTime(skep.pid)
    const alone = await changes(PER_SECOND, settings.rounds * settings.seconds).report
    if (alone.changes < PER_SECOND * alone.seconds * 0.95) throw new Error(`only ${alone.changes} changes were made`)
    const busy = (processorTime(skep.pid) - before) / alone.seconds
    progress(`p99 ${alone.p99.toFixed(1)} ms`)
    const pairs: { readonly quiet: number; readonly during: Awaited<ReturnType<typeof reads>> }[] = []
    for (let round = 1; round <= Math.min(MOST_PAIRS, settings.rounds); round++) {
      const { requestsPerSecond: quiet } = await reads(NONE, settings.seconds)
      const during = await reads(PER_SECOND, settings.seconds)
      pairs.push({ quiet, during })
      const [own, without] = [during.requestsPerSecond.toFixed(0), quiet.toFixed(0)]
      progress(`round ${round}: ${own} against ${without} reads/s, p99 ${during.p99.toFixed(1)} ms`)
    }
    const ratios = pairs.map(({ quiet, during }) => during.requestsPerSecond / quiet)
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
          value: median(pairs.map(({ during }) => during.p99)),
          bar: { of: 'value', atMost: 50 },
        },
        {
          name: 'reads/s, beside none',
          unit: '',
          value: median(pairs.map(({ during }) => during.requestsPerSecond)),
          floor: median(pairs.map(({ quiet }) => quiet)),
          ratio: median(ratios),
          bar: { of: 'ratio', atLeast: 0.8 },
        },
      ],
      notes: ['changes, sockets and wrk share one core here, and take from each other what the server would give'],
      detail: { form: context.form.name, sockets: tokens.length, alone, ratio: spreadOf(ratios), rounds: pairs },
    }
  },
}
