import { fetched, loggedBy } from '../lib/beside.ts'
import type { Case, CaseResult, Context } from '../lib/case.ts'
import { makeCollections, RECORDS_PATH } from '../lib/collection-data.ts'
import { SECRET } from '../lib/crowd.ts'
import { startFloor } from '../lib/floor.ts'
import { DRAFT } from '../lib/items.ts'
import { comparePairs, pairFigures, ratioSpread, saturationNotes, type Target } from '../lib/rounds.ts'
import type { Server } from '../lib/server.ts'
import { databaseOf, startSkep } from '../lib/skep.ts'

const FEW_LISTS_COUNT = 6
const MANY_LISTS_COUNT = 1_000
const LEAST_RATIO = 0.8

const ITEM = JSON.stringify({ ...JSON.parse(DRAFT), title: 'Oak table, restored {n}' })

/** With the words of {@link ITEM}, and a value for each index. The braces stand for the id of a list. */
const TASK = JSON.stringify({
  title: 'Oak table, restored {n}',
  notes: JSON.parse(DRAFT).description,
  due_at: '2026-05-01T09:30:00.000Z',
  list: '{each}',
}).replace('"{each}"', '{each}')

/** Creates of tasks, each in the next of so many lists, beside creates of items by the same user at the same server. */
const measure = async (context: Context, listsCount: number): Promise<CaseResult> => {
  const { folder, lists } = await makeCollections(context, { members: 1, lists: listsCount, records: 0 })
  const [list] = lists
  if (list === undefined) throw new Error('there are no lists')
  await using skep = await startSkep(context.form, { folder, core: context.cores.server, env: SECRET })
  const headers = { authorization: `Bearer ${list.owner.token}`, 'content-type': 'application/json' }
  const target = (path: string, body: string): Target => ({
    pid: skep.pid,
    url: skep.url + path,
    method: 'POST',
    headers,
    body,
    each: lists.map(({ id }) => id),
    check: loggedBy(skep),
  })
  const task = target(RECORDS_PATH, TASK)
  await fetched(task.url, { method: 'POST', headers, body: TASK.replace('{each}', `${list.id}`), status: 201 })
  const pairs = await comparePairs(context, { skep: task, floor: target('/api/v1/items/', ITEM) })
  const bar = { 'requests/s': { of: 'ratio', atLeast: LEAST_RATIO } } as const
  return {
    figures: pairFigures(pairs, bar).map((figure) => ({ ...figure, name: `${listsCount} lists, ${figure.name}` })),
    notes: saturationNotes(pairs),
    detail: { lists: listsCount, ratio: ratioSpread(pairs), rounds: pairs },
  }
}

/** What of the distance between the two is in what each has to store: raw servers that store the same. */
const measureRaw = async (context: Context, listsCount: number): Promise<CaseResult> => {
  const { folder, lists } = await makeCollections(context, { members: 1, lists: listsCount, records: 0 })
  const [list] = lists
  if (list === undefined) throw new Error('there are no lists')
  const other = await makeCollections(context, { members: 1, lists: 1, records: 0 })
  const core = context.cores.server
  const start = (name: string, database: string) =>
    startFloor(name, { folder: context.folder(), core, args: [databaseOf(database), String(list.owner.id)] })
  await using records = await start('create-record-duties', folder)
  await using items = await start('create-item-duties', other.folder)
  const headers = { authorization: `Bearer ${list.owner.token}`, 'content-type': 'application/json' }
  const target = ({ pid, url }: Server, path: string, body: string): Target => ({
    ...{ pid, url: url + path, method: 'POST', headers, body },
    each: lists.map(({ id }) => id),
  })
  const pairs = await comparePairs(context, {
    skep: target(records, RECORDS_PATH, TASK),
    floor: target(items, '/api/v1/items/', ITEM),
  })
  return {
    figures: pairFigures(pairs, {}).map((figure) => ({
      ...figure,
      name: `raw servers, ${listsCount} lists, ${figure.name}`,
    })),
    notes: saturationNotes(pairs),
    detail: { lists: listsCount, ratio: ratioSpread(pairs), rounds: pairs },
  }
}

/** Durable creates in a collection with two indexes, searched text and a rule over a reference. */
export const collectionCreates: Case = {
  name: 'collection-creates',
  about: 'creates in a collection with two indexes and a rule over a reference, beside creates of items',
  async run(context) {
    const all: CaseResult[] = []
    for (const count of [FEW_LISTS_COUNT, MANY_LISTS_COUNT]) {
      all.push(await measure(context, count), await measureRaw(context, count))
    }
    return {
      figures: all.flatMap(({ figures }) => figures),
      notes: [...new Set(all.flatMap(({ notes = [] }) => notes))],
      detail: { form: context.form.name, all: all.map(({ detail }) => detail) },
    }
  },
}
