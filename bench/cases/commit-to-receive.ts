import { AUDIENCE, type Audience, eventOf, SUBSCRIBE, socketUrl, startAudience } from '../lib/audience.ts'
import { fetched } from '../lib/beside.ts'
import type { Case, Context } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import {
  aloneFigures,
  CHANGES_PER_SECOND,
  changesAlone,
  type Followed,
  kept,
  keptFigure,
  latencyDuringReadsFigure,
  measureReadsWithChanges,
  type Pair,
  pairsOf,
  SHARED_CORE,
} from '../lib/followed.ts'
import { DRAFT } from '../lib/items.ts'
import type { Server } from '../lib/server.ts'
import { median, spreadOf } from '../lib/statistics.ts'

const ITEMS_COUNT = 100
/** Milliseconds between the texts of the raw server: as long as its p99 stays under the bar with some to spare. */
const RAW_EVERY = 40

const createItems = async ({ skep, headers }: Audience): Promise<readonly string[]> => {
  const operations = Array.from({ length: ITEMS_COUNT }, () => ({ op: 'create', ...(JSON.parse(DRAFT) as object) }))
  const { body } = await fetched(`${skep.url}/api/v1/items/batch`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ operations }),
  })
  const { results } = JSON.parse(body) as { readonly results: readonly { readonly id: number }[] }
  return results.map(({ id }) => `/api/v1/items/${id}`)
}

/** How much of one core changes took beside reads: what the reads did not, going by what each takes alone. */
const takenByChanges = ({ quiet, during }: Pair): number =>
  during.reads.busy - during.reads.requestsPerSecond * (quiet.reads.cpuPerRequest / 1e6)

/** How long it takes until a thousand sockets have all heard of a change, and what that leaves for requests. */
export const commitToReceive: Case = {
  name: 'commit-to-receive',
  about: `${CHANGES_PER_SECOND} changes/s that ${AUDIENCE} sockets all hear of, alone and beside reads from wrk`,
  async run(context: Context) {
    await using audience = await startAudience(context)
    const { skep, tokens, headers } = audience
    const items = await createItems(audience)
    const followedOn = (server: Server): Followed => {
      const targets = items.map((path) => ({ url: server.url + path, token: tokens[0] ?? '' }))
      return { server, url: socketUrl(server), tokens, subscribe: SUBSCRIBE, targets }
    }

    const own = followedOn(skep)
    const change = { method: 'PATCH', headers, body: JSON.stringify({ title: 'Oak table, restored' }) }
    const text = await eventOf(audience, () => fetched(skep.url + items[0], change))
    const alone = await changesAlone(context, own)
    const pairs = await measureReadsWithChanges(context, own, { what: 'Skep', rounds: pairsOf(context) })

    const args = [text, String(RAW_EVERY)]
    await using floor = await startFloor('commit-to-receive', {
      folder: context.folder(),
      core: context.cores.server,
      args,
    })
    const rounds = Math.ceil(pairsOf(context) / 2)
    const raw = await measureReadsWithChanges(context, followedOn(floor), { what: 'raw server', rounds })
    const [taken, rawTaken] = [median(pairs.map(takenByChanges)), median(raw.map(takenByChanges))]
    return {
      figures: [
        ...aloneFigures(alone),
        { ...latencyDuringReadsFigure(pairs), floor: median(raw.map(({ during }) => during.changes.p99)) },
        { name: 'of a core, beside reads', unit: '', value: taken, floor: rawTaken, ratio: taken / rawTaken },
        keptFigure(pairs),
      ],
      notes: [SHARED_CORE],
      detail: {
        form: context.form.name,
        sockets: tokens.length,
        alone,
        ratio: spreadOf(kept(pairs)),
        rounds: pairs,
        raw,
      },
    }
  },
}
