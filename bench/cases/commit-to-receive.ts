import { AUDIENCE, eventOf, startAudience } from '../lib/audience.ts'
import { fetched } from '../lib/beside.ts'
import type { Case, Context } from '../lib/case.ts'
import { startFloor } from '../lib/floor.ts'
import {
  aloneFigures,
  CHANGES_PER_SECOND,
  changesAlone,
  createItems,
  followedOn,
  kept,
  keptFigure,
  latencyDuringReadsFigure,
  measureReadsWithChanges,
  pairsOf,
  SHARED_CORE,
  takenByChanges,
} from '../lib/followed.ts'
import { median, spreadOf } from '../lib/statistics.ts'

/** Milliseconds between the texts of the raw server: as long as its p99 stays under the bar with some to spare. */
const RAW_EVERY = 40

/** How long it takes until a thousand sockets have all heard of a change, and what that leaves for requests. */
export const commitToReceive: Case = {
  name: 'commit-to-receive',
  about: `${CHANGES_PER_SECOND} changes/s that ${AUDIENCE} sockets all hear of, alone and beside reads from wrk`,
  async run(context: Context) {
    await using audience = await startAudience(context)
    const { skep, tokens, headers } = audience
    const items = await createItems(audience)
    const own = followedOn(skep, audience, items)
    // Not the title that it has: that would be no change, and nobody would hear of it.
    const change = { method: 'PATCH', headers, body: JSON.stringify({ title: 'Oak table, oiled' }) }
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
    const raw = await measureReadsWithChanges(context, followedOn(floor, audience, items), {
      what: 'raw server',
      rounds,
    })
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
