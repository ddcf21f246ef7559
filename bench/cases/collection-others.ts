import { residentMegabytes } from '../../tests/support/resources.ts'
import { fetched } from '../lib/beside.ts'
import type { Case, CaseResult, Context, Figure } from '../lib/case.ts'
import { type CollectionData, RECORDS_PATH, sharedCollections } from '../lib/collection-data.ts'
import { waitedForCore } from '../lib/core-wait.ts'
import { SECRET } from '../lib/crowd.ts'
import { type Changed, largeChanges, MAX_CHANGE_SECONDS } from '../lib/large-changes.ts'
import { startLoad } from '../lib/load.ts'
import { peakMemory } from '../lib/memory.ts'
import type { Server } from '../lib/server.ts'
import { startSkep } from '../lib/skep.ts'
import type { ListAttackInput, ListAttackReport } from '../loads/list-attack.ts'
import type { ReadsInput, ReadsReport } from '../loads/reads.ts'

const HEAD_START_MS = 1_000
const CONNECTIONS_COUNT = 8
const WARM_UP_COUNT = 20
const MAX_P99_MS = 50
const MAX_ADDED_MEMORY_MB = 128

/** What another user asks for, each so many times a second. */
const readsOf = ({ url }: Server, { id, list }: { readonly id: number; readonly list: number }) => ({
  reads: { url: `${url}${RECORDS_PATH}${id}`, perSecond: 50 },
  lists: { url: `${url}${RECORDS_PATH}?filter=${encodeURIComponent(`list == ${list}`)}`, perSecond: 25 },
  health: { url: `${url}/health`, perSecond: 50 },
})

type Kind = keyof ReturnType<typeof readsOf>

interface Measured<T> {
  readonly result: T
  readonly seconds: number
  readonly reports: Readonly<Record<Kind, ReadsReport>>
  readonly added: number
  /** The share of the time in which something else had the core that the server wanted. */
  readonly waited: number
}

/** What others get while some work goes on, and what memory that takes. */
const beside = async <T>(
  { cores, settings, progress }: Context,
  skep: Server,
  { lists: [list] }: CollectionData,
  { name, work }: { readonly name: string; readonly work: () => Promise<T> },
): Promise<Measured<T>> => {
  if (list === undefined) throw new Error('there are no lists')
  const { token } = list.owner
  const headers = { authorization: `Bearer ${token}` }
  const listed = await fetched(readsOf(skep, { id: 0, list: list.id }).lists.url, { headers })
  const kinds = readsOf(skep, { id: JSON.parse(listed.body).items[0].id, list: list.id })
  for (let n = 0; n < WARM_UP_COUNT; n++) {
    for (const { url } of Object.values(kinds)) await fetched(url, { headers })
  }
  const idle = residentMegabytes(skep.pid)
  using memory = peakMemory(skep.pid)
  const start = (kind: Kind) => {
    const more = { token, connections: CONNECTIONS_COUNT, seconds: MAX_CHANGE_SECONDS, round: settings.seconds }
    const input: ReadsInput = { ...kinds[kind], ...more }
    return startLoad<ReadsReport>('reads', input, { core: cores.load, seconds: MAX_CHANGE_SECONDS })
  }
  const loads = { reads: start('reads'), lists: start('lists'), health: start('health') }
  await Bun.sleep(HEAD_START_MS)
  const before = waitedForCore(skep.pid)
  const from = performance.now()
  const working = work().then((result) => ({ result, seconds: (performance.now() - from) / 1_000 }))
  // What the work takes, or a whole round.
  const [done] = await Promise.all([working, Bun.sleep(2 * settings.seconds * 1_000)])
  const waited = (waitedForCore(skep.pid) - before) / ((performance.now() - from) / 1_000)
  const [reads, lists, health] = await Promise.all([loads.reads.stop(), loads.lists.stop(), loads.health.stop()])
  const added = memory.peak() - idle
  const p99s = [reads, lists, health].map(({ p99 }) => p99.toFixed(0)).join(', ')
  progress(`${name}: p99 of reads, lists and /health ${p99s} ms, +${added.toFixed(0)} MB, ${done.seconds.toFixed(1)} s`)
  return { ...done, reports: { reads, lists, health }, added, waited }
}

const NAMES = { reads: "another's reads", lists: "another's lists", health: '/health' } as const

/** The floor is the same server that does nothing else. */
const figuresOf = (name: string, { reports, added }: Measured<unknown>, quiet: Measured<unknown>): Figure[] => {
  const p99 = (kind: Kind): Figure => {
    const [during, without] = [reports[kind], quiet.reports[kind]]
    return {
      name: `${name}, p99 of ${NAMES[kind]}`,
      unit: 'ms',
      value: during.p99,
      floor: without.p99,
      p50: { value: during.p50, floor: without.p50 },
      p99: { value: during.p99, floor: without.p99 },
      bar: { of: 'value', atMost: MAX_P99_MS },
    }
  }
  return [
    p99('reads'),
    p99('lists'),
    p99('health'),
    { name: `${name}, memory added`, unit: 'MB', value: added, bar: { of: 'value', atMost: MAX_ADDED_MEMORY_MB } },
  ]
}

/** Of users who have no limits. */
const attackWith = ({ cores }: Context, { url }: Server, data: CollectionData, seconds: number) => {
  // The first member is the one who reads.
  const tokens = data.members.slice(1).map(({ token }) => token)
  const input: ListAttackInput = { url: `${url}${RECORDS_PATH}`, tokens, seconds }
  const options = { core: cores.load, seconds, nice: true }
  return startLoad<ListAttackReport>('list-attack', input, options).report
}

const MAX_WAITED_SHARE = 0.02

/** A change without an answer is a fault of its own; times on a busy machine are not the server's. */
const notesOf = (name: string, { result, waited }: Measured<Changed | ListAttackReport>): readonly string[] => [
  ...('failure' in result && result.failure !== null ? [`${name} had no answer: ${result.failure}`] : []),
  ...(waited > MAX_WAITED_SHARE
    ? [`${name}: something else had the server's core for ${Math.round(waited * 100)} % of the time`]
    : []),
]

/** What others notice of expensive lists, of a new index and of an import, each on a large collection. */
export const collectionOthers: Case = {
  name: 'collection-others',
  about: 'reads of another user beside 64 clients with the worst lists, an index being built, and an import',
  async run(context): Promise<CaseResult> {
    const data = await sharedCollections(context)
    const { folder } = data
    await using skep = await startSkep(context.form, { folder, core: context.cores.server, env: SECRET })
    const { addIndex, importMore } = largeChanges(context, skep, data)
    const quiet = await beside(context, skep, data, { name: 'nothing else', work: async () => {} })
    const { settings } = context
    await attackWith(context, skep, data, settings.warmupSeconds)
    const attack = await beside(context, skep, data, {
      name: 'worst lists',
      // As long as all rounds of both servers of other cases.
      work: () => attackWith(context, skep, data, 2 * settings.rounds * settings.seconds),
    })
    const index = await beside(context, skep, data, { name: 'new index', work: addIndex })
    const imported = await beside(context, skep, data, { name: 'import', work: importMore })
    return {
      figures: [
        ...figuresOf('worst lists', attack, quiet),
        { name: 'worst lists, answered/s', unit: '', value: attack.result.answered / attack.seconds },
        ...figuresOf('new index', index, quiet),
        { name: 'new index, built after', unit: 's', value: index.seconds },
        ...figuresOf('import', imported, quiet),
        { name: 'import, records/s', unit: '', value: imported.result.records / imported.seconds },
      ],
      notes: [...notesOf('worst lists', attack), ...notesOf('new index', index), ...notesOf('import', imported)],
      detail: { form: context.form.name, records: data.recordsCount, quiet, attack, index, import: imported },
    }
  },
}
