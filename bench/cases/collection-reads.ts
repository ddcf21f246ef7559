import { fetched } from '../lib/beside.ts'
import type { Case, Figure } from '../lib/case.ts'
import { type CollectionData, RECORDS_PATH, sharedCollections } from '../lib/collection-data.ts'
import { compare } from '../lib/compare.ts'
import { SECRET } from '../lib/crowd.ts'
import { startFloor } from '../lib/floor.ts'
import { timeInTurn } from '../lib/in-turn.ts'
import { databaseOf, startSkep } from '../lib/skep.ts'
import { median, percentile } from '../lib/statistics.ts'

const PAGE_SIZE_COUNT = 20
const LISTS_COUNT = 300
const MAX_LIST_MS = 2

interface Page {
  readonly items: readonly { readonly id: number }[]
  readonly total: number | null
}

/** Someone, and the lists that they own. */
const ownerAmong = ({ lists }: CollectionData) => {
  const owner = lists[0]?.owner
  if (owner === undefined) throw new Error('there are no lists')
  return { owner, own: lists.filter((list) => list.owner.id === owner.id) }
}

const listFigure = (name: string, times: readonly number[]): Figure => ({
  name,
  unit: 'ms',
  value: median(times),
  p50: { value: median(times) },
  p99: { value: percentile(times, 99) },
  bar: { of: 'value', atMost: MAX_LIST_MS },
})

/** A record that a rule over its list lets one read, and the records of a list, in a large collection. */
export const collectionReads: Case = {
  name: 'collection-reads',
  about: 'a record by id beside raw Bun.serve, and lists of 20 by an indexed field, in a large collection with rules',
  async run(context) {
    const data = await sharedCollections(context)
    const core = context.cores.server
    await using skep = await startSkep(context.form, { folder: data.folder, core, env: SECRET })
    const { owner, own } = ownerAmong(data)
    const headers = { authorization: `Bearer ${owner.token}` }
    const lists = (end: string) =>
      Array.from({ length: LISTS_COUNT }, (_, index) => {
        const filter = encodeURIComponent(`list == ${own[index % own.length]?.id}`)
        return `${skep.url}${RECORDS_PATH}?size=${PAGE_SIZE_COUNT}&filter=${filter}${end}`
      })
    const kinds = { newest: lists(''), byDueTime: lists('&sort=-due_at'), uncounted: lists('&total=false') }
    const page: Page = JSON.parse((await fetched(kinds.newest[0] ?? '', { headers })).body)
    const [first] = page.items
    const expected = Math.floor(data.recordsCount / data.lists.length)
    if (first === undefined || page.items.length !== PAGE_SIZE_COUNT || Math.abs((page.total ?? 0) - expected) > 1) {
      throw new Error(`a list has ${page.items.length} records of ${page.total}, not of ${expected}`)
    }
    await timeInTurn(context, owner.token, kinds)
    const times = await timeInTurn(context, owner.token, kinds)

    const args = [databaseOf(data.folder), String(owner.id)]
    await using floor = await startFloor('read-record', { folder: context.folder(), core, args })
    await using duties = await startFloor('read-record-duties', { folder: context.folder(), core, args })
    const detail = { records: data.recordsCount, lists: data.lists.length }
    const asked = { path: `${RECORDS_PATH}${first.id}`, headers }
    const reads = await compare(context, { skep, floor, atLeast: 0.6, detail }, asked)
    const besideDuties = await compare(context, { skep, floor: duties, atLeast: 0.8 }, asked)
    return {
      ...reads,
      figures: [
        ...reads.figures,
        ...besideDuties.figures.map((figure) => ({ ...figure, name: `beside the duties, ${figure.name}` })),
        listFigure('list by an indexed field, p50', times('newest')),
        listFigure('sorted by another, p50', times('byDueTime')),
        listFigure('without its total, p50', times('uncounted')),
      ],
    }
  },
}
