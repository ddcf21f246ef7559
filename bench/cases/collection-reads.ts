import { fetched } from '../lib/beside.ts'
import type { Case, CaseResult, Context, Figure } from '../lib/case.ts'
import { type CollectionData, RECORDS_PATH, sharedCollections } from '../lib/collection-data.ts'
import { compare } from '../lib/compare.ts'
import { SECRET } from '../lib/crowd.ts'
import { startFloor } from '../lib/floor.ts'
import { timeInTurn } from '../lib/in-turn.ts'
import type { Server } from '../lib/server.ts'
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

/** A record that a rule over its list lets one read, beside the same row. */
const compareRead = async (
  context: Context,
  data: CollectionData,
  skep: Server,
  beside: { readonly floor: string; readonly atLeast: number },
): Promise<CaseResult> => {
  const { owner, own } = ownerAmong(data)
  const headers = { authorization: `Bearer ${owner.token}` }
  const inList = `${RECORDS_PATH}?size=1&filter=${encodeURIComponent(`list == ${own[0]?.id}`)}`
  const page: Page = JSON.parse((await fetched(skep.url + inList, { headers })).body)
  const args = [databaseOf(data.folder), String(owner.id)]
  const options = { folder: context.folder(), core: context.cores.server, args }
  await using floor = await startFloor(beside.floor, options)
  const detail = { records: data.recordsCount, lists: data.lists.length }
  const path = `${RECORDS_PATH}${page.items[0]?.id}`
  return await compare(context, { skep, floor, atLeast: beside.atLeast, detail }, { path, headers })
}

const listFigure = (name: string, times: readonly number[]): Figure => ({
  name,
  unit: 'ms',
  value: median(times),
  p50: { value: median(times) },
  p99: { value: percentile(times, 99) },
  bar: { of: 'value', atMost: MAX_LIST_MS },
})

/** Without a bar: no index has the records of a list in this order, and a user who needs it would declare one. */
const sortedFigure = (times: readonly number[]): Figure => {
  const { bar: _, ...figure } = listFigure('sorted by another, p50', times)
  return figure
}

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
    const expected = Math.floor(data.recordsCount / data.lists.length)
    if (page.items.length !== PAGE_SIZE_COUNT || Math.abs((page.total ?? 0) - expected) > 1) {
      throw new Error(`a list has ${page.items.length} records of ${page.total}, not of ${expected}`)
    }
    await timeInTurn(context, owner.token, kinds)
    const times = await timeInTurn(context, owner.token, kinds)

    const reads = await compareRead(context, data, skep, { floor: 'read-record', atLeast: 0.6 })
    return {
      ...reads,
      figures: [
        ...reads.figures,
        listFigure('list by an indexed field, p50', times('newest')),
        sortedFigure(times('byDueTime')),
        listFigure('without its total, p50', times('uncounted')),
      ],
    }
  },
}

/** The record beside what no program of this stack can leave out, its rule among that. */
export const collectionReadsDuties: Case = {
  name: 'collection-reads-duties',
  about:
    'the record, beside raw Bun.serve that also gives request id, policy, limits, ETag and a line in the log, and reads its list',
  async run(context) {
    const data = await sharedCollections(context)
    const options = { folder: data.folder, core: context.cores.server, env: SECRET }
    await using skep = await startSkep(context.form, options)
    return await compareRead(context, data, skep, { floor: 'read-record-duties', atLeast: 0.8 })
  },
}
