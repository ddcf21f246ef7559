import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { MAX_AFFECTED_COUNT } from '../../../src/application/record-deletions.ts'
import { AppError } from '../../../src/domain/errors.ts'
import type { JsonObject } from '../../../src/domain/merge-patch.ts'
import { type LiveMember, startLiveCollections } from '../../support/live-collections.ts'
import type { Frame, TestSocket } from '../../support/socket.ts'

/** How long the test looks for a counterexample. The first run always ends. */
const SEARCH_MS = Number(process.env.TEST_SEARCH_MS ?? 2_000)
const MAX_RUNS_COUNT = 2_000
const DEADLINE_MS = 10_000
const MAX_CONCURRENT_COUNT = 6
const NEWEST_COUNT = 60

const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)

/** With every other seed, most cascades are more than one transaction may change. */
const skep = await startLiveCollections({ maxAffectedCount: seed % 2 === 0 ? 1 : MAX_AFFECTED_COUNT })
const people: readonly LiveMember[] = [await skep.member('admin'), await skep.member(), await skep.member()]
const changer = await skep.member('admin')

const RULES = [
  'auth.id == record.list.owner_id || auth.id in record.list.members',
  'auth.id in record.list.team.members || auth.id == record.owner_id',
  'record.list.open',
  'record.item.title == "a"',
  'record.list.item.title == "a" || record.done',
  'record.list.team.open && !record.done',
  'auth.id == record.owner_id',
  'true',
  null,
] as const

const FILTERS = [
  undefined,
  '!done',
  'list.open',
  'list.team.open || done',
  'title.startsWith("a")',
  'list.team.members.exists(m, m > 1) || title == "b"',
] as const

const open = { type: 'boolean', default: false }
/** A reference to a collection that is defined in code, whose events do not have the state before. */
const item = { type: ['integer', 'null'], 'x-ref': 'items', 'x-on-delete': 'clear' }
const members = { type: 'array', items: { type: 'integer' }, default: [] }

/** The collections of one run. */
const definitionsOf = (run: number) => {
  const [teams, lists, tasks] = [`teams${run}`, `lists${run}`, `tasks${run}`]
  const rules = { read: 'true', create: 'true', update: 'true', delete: 'true' }
  const taskDefinition = (read: string | null) => ({
    name: tasks,
    singular: `task${run}`,
    schema: {
      type: 'object',
      required: ['title'],
      properties: {
        title: { type: 'string', maxLength: 10 },
        done: { type: 'boolean', default: false },
        item: run % 3 === 0 ? { ...item, 'x-on-delete': 'cascade' } : item,
        list: { type: ['integer', 'null'], 'x-ref': lists, 'x-on-delete': run % 2 === 0 ? 'cascade' : 'clear' },
      },
    },
    rules: { ...rules, read },
  })
  const listDefinition = {
    name: lists,
    singular: `list${run}`,
    schema: {
      type: 'object',
      properties: { open, members, item, team: { type: ['integer', 'null'], 'x-ref': teams, 'x-on-delete': 'clear' } },
    },
    rules,
  }
  const teamDefinition = {
    name: teams,
    singular: `team${run}`,
    schema: { type: 'object', properties: { open, members } },
    rules,
  }
  return { teams, lists, tasks, teamDefinition, listDefinition, taskDefinition }
}

const versionOf = (record: object | undefined): number =>
  record !== undefined && 'version' in record ? Number(record.version) : 0

/** A client that keeps a list by the events that it receives. It does one thing after another. */
const createFollower = (member: LiveMember, topic: string, filter: string | undefined) => {
  let list: ReadonlyMap<number, object> = new Map()
  let cursor: string | undefined
  let socket: TestSocket | null = null
  let takenCount = 0
  let work: Promise<unknown> = Promise.resolve()

  const inTurn = <T>(next: () => Promise<T>): Promise<T> => {
    const mine = work.then(next)
    work = mine.catch(() => {})
    return mine
  }
  const read = async () => {
    list = await member.list(topic, filter ?? null)
  }
  const apply = async ({ type, event = '', gap, data, cursor: at }: Frame): Promise<void> => {
    if (type === 'subscribed' && gap === true) await read()
    if (type === 'event' && data !== undefined) {
      const others = [...list].filter(([id]) => id !== data.id)
      const isGone = /\.(left|deleted)$/.test(event)
      // What was listed after a gap may be newer than the events that follow it.
      const isOlder = !isGone && versionOf(list.get(data.id)) > versionOf(data)
      if (!isOlder) list = new Map(isGone ? others : [...others, [data.id, data]])
    }
    cursor = at ?? cursor
  }
  /** Takes some of the frames that have come. */
  const take = async (most = Number.POSITIVE_INFINITY): Promise<void> => {
    for (let count = 0; count < most; count++) {
      const frame = socket?.frames[takenCount]
      if (frame === undefined) return
      takenCount++
      if (frame.topic === topic) await apply(frame)
    }
  }

  return {
    connect: () =>
      inTurn(async () => {
        if (socket !== null) return
        socket = await member.open()
        const from = cursor === undefined ? {} : { after: cursor }
        socket.send({ type: 'subscribe', topic, ref: 'first', ...from, ...(filter && { filter }) })
        const frame = await socket.sees({ ref: 'first' })
        if (frame.type !== 'subscribed') throw new Error(JSON.stringify(frame))
        takenCount = socket.frames.indexOf(frame)
        if (cursor === undefined) await read()
      }),
    /** Leaves with some of what has come unread. */
    drop: (takenBefore: number) =>
      inTurn(async () => {
        await take(takenBefore)
        await socket?.[Symbol.asyncDispose]()
        socket = null
      }),
    /** What the client has, and what it should have; null if that is the same. */
    difference: () =>
      inTurn(async () => {
        await take()
        const toTexts = (records: ReadonlyMap<number, object>) =>
          [...records].sort(([one], [other]) => one - other).map(([, record]) => JSON.stringify(record))
        const [has, should] = [toTexts(list), toTexts(await member.list(topic, filter ?? null))]
        if (JSON.stringify(has) === JSON.stringify(should)) return null
        const closed = await Promise.race([socket?.closed, Promise.resolve(null)])
        return { member: member.id, topic, filter, has, should, closed, frames: socket?.frames.slice(-20) }
      }),
    /** Resolves when a frame has come that the client has not taken; with false if its socket closes instead. */
    hasMore: async (): Promise<boolean> => {
      if (socket === null) return false
      const { frames, until } = socket
      return until(() => frames.length > takenCount).then(
        () => true,
        () => false,
      )
    },
  }
}

type Follower = ReturnType<typeof createFollower>

interface Action {
  readonly kind: number
  readonly which: number
  readonly value: number
  readonly other: number
}

const action = fc.record({
  kind: fc.nat({ max: 26 }),
  which: fc.nat({ max: 100 }),
  value: fc.nat({ max: 100 }),
  other: fc.nat({ max: 100 }),
})

const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length]

/** The records of a run, and how they are changed. */
const createWorld = async (run: number) => {
  const { teams, lists, tasks, teamDefinition, listDefinition, taskDefinition } = definitionsOf(run)
  await skep.define(teamDefinition)
  await skep.define(listDefinition)
  await skep.define(taskDefinition(pick(RULES, run) ?? null))
  const ids = { teams: [] as number[], lists: [] as number[], tasks: [] as number[], items: [] as number[] }
  const some = (from: number): number[] => people.filter((_, index) => (from >> index) & 1).map(({ id }) => id)

  const createTeam = async (value: number) => {
    ids.teams.push((await changer.create(teams, { open: value % 2 === 0, members: some(value) })).id)
  }
  const createList = async (value: number, other: number) => {
    const team = pick([...ids.teams, null], other) ?? null
    const draft = { open: value % 2 === 0, members: some(value), team }
    ids.lists.push((await (pick(people, other) ?? changer).create(lists, draft)).id)
  }
  const taskOf = (value: number, other: number): JsonObject => ({
    title: pick(['a', 'b', 'ab'], value) ?? '',
    done: value % 2 === 0,
    list: pick([...ids.lists, null], other) ?? null,
  })
  const createTask = async (value: number, other: number) => {
    ids.tasks.push((await (pick(people, value) ?? changer).create(tasks, taskOf(value, other))).id)
  }
  const createItem = async (value: number) => {
    ids.items.push((await changer.create('items', { title: pick(['a', 'b'], value) ?? '' })).id)
  }
  const setItem = (name: string, id: number, value: number) =>
    changer.update(name, id, { item: pick([...ids.items, null], value) ?? null })
  const remove = async (name: string, known: number[], which: number) => {
    const id = pick(known, which)
    if (id === undefined) return
    known.splice(known.indexOf(id), 1)
    await changer.remove(name, id)
  }
  const followers: Follower[] = []

  const perform = async ({ kind, which, value, other }: Action): Promise<void> => {
    const [team, list, task] = [pick(ids.teams, which), pick(ids.lists, which), pick(ids.tasks, which)]
    const [item, follower] = [pick(ids.items, which), pick(followers, which)]
    switch (kind) {
      case 0:
        return createTeam(value)
      case 1:
        return createList(value, other)
      case 2:
      case 3:
        return createTask(value, other)
      case 4:
      case 5:
        return void (team && (await changer.update(teams, team, { open: value % 2 === 0, members: some(other) })))
      case 6:
      case 7:
        return void (list && (await changer.update(lists, list, { open: value % 2 === 0, members: some(other) })))
      case 8:
        return void (list && (await changer.update(lists, list, { team: pick([...ids.teams, null], value) ?? null })))
      case 9:
      case 10:
        return void (task && (await changer.update(tasks, task, { list: pick([...ids.lists, null], other) ?? null })))
      case 11:
        return void (task && (await changer.update(tasks, task, taskOf(value, other))))
      case 12:
        return remove(teams, ids.teams, which)
      case 13:
        return remove(lists, ids.lists, which)
      case 14:
        return remove(tasks, ids.tasks, which)
      case 15:
        return void (await skep.define(taskDefinition(pick(RULES, value) ?? null)))
      case 16:
        return void (await pick(people, which)?.setRole(value % 3 === 0 ? 'admin' : 'user'))
      case 17:
        return follower?.drop(value % 5)
      case 18:
        return follower?.connect()
      case 19:
        return skep.finishDeletions()
      case 20:
        return createItem(value)
      case 21:
        return void (item && (await changer.update('items', item, { title: pick(['a', 'b'], value) ?? '' })))
      case 22:
        return remove('items', ids.items, which)
      case 23:
      case 24:
        return void (task && (await setItem(tasks, task, value)))
      case 25:
        return void (list && (await setItem(lists, list, value)))
      default:
        // Let some, but not all, of it be delivered.
        for (let turn = 0; turn < value; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  /** A cascade deletes tasks that the test still knows, and tests of the rules refuse some changes. */
  const tryTo = async (next: Action) => {
    try {
      await perform(next)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
    }
  }
  for (const value of [1, 2]) await createTeam(value)
  for (const value of [1, 2, 3]) await createList(value, value)
  for (const value of [1, 2, 3, 4]) await createTask(value, value)
  for (const value of [0, 0, 1]) await createItem(value)
  for (const [value, id] of ids.tasks.entries()) await setItem(tasks, id, value)
  for (const [value, id] of ids.lists.entries()) await setItem(lists, id, value + 1)
  for (const member of people) {
    for (const filter of FILTERS) followers.push(createFollower(member, tasks, filter))
  }
  const end = async () => {
    for (const name of [tasks, lists, teams]) await skep.drop(name)
  }
  return { tryTo, followers, end }
}

/** For whoever looks for the cause of a difference. */
const newestEvents = async () => {
  const query = { scope: 'all', after: 0, maxCount: 100_000, maxBytes: Number.MAX_SAFE_INTEGER } as const
  const { events } = await skep.store.read((tx) => tx.events.chunk(query))
  return events.slice(-NEWEST_COUNT).map(({ position, event, subjectId, previous, data }) => {
    const [before, after] = [JSON.stringify(previous), JSON.stringify(data)]
    return `${position} ${event} ${subjectId}: ${before} -> ${after}`
  })
}

/** Resolves when every client has what it should have. */
const untilEqual = async (followers: readonly Follower[]) => {
  const { promise: isOver, resolve } = Promise.withResolvers<true>()
  const timer = setTimeout(() => resolve(true), DEADLINE_MS)
  try {
    for (;;) {
      await skep.settled()
      const differences = []
      for (const follower of followers) {
        const difference = await follower.difference()
        if (difference !== null) differences.push({ difference, follower })
      }
      const [first] = differences
      if (first === undefined) return
      const isLost = await Promise.race([first.follower.hasMore().then((more) => !more), isOver])
      if (isLost) throw new Error(JSON.stringify({ ...first.difference, log: await newestEvents() }, null, 1))
    }
  } finally {
    clearTimeout(timer)
  }
}

let runs = 0

test('whoever applies the events to the list they have read holds what the server lists', async () => {
  console.info(`seed ${seed}`)
  const searchesUntil = Date.now() + SEARCH_MS
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(action, { minLength: 1, maxLength: 25 }), { minLength: 1, maxLength: 4 }),
      async (phases) => {
        if (runs > 0 && Date.now() > searchesUntil) return
        const { tryTo, followers, end } = await createWorld(++runs)
        try {
          for (const follower of followers) await follower.connect()
          for (const phase of phases) {
            // Changes of a phase overlap with each other and with their delivery.
            for (let from = 0; from < phase.length; from += MAX_CONCURRENT_COUNT) {
              await Promise.all(phase.slice(from, from + MAX_CONCURRENT_COUNT).map(tryTo))
            }
            for (const follower of followers) await follower.connect()
            await untilEqual(followers)
          }
        } finally {
          for (const follower of followers) await follower.drop(0)
          await end()
          for (const [index, person] of people.entries()) await person.setRole(index === 0 ? 'admin' : 'user')
        }
      },
    ),
    { seed, numRuns: MAX_RUNS_COUNT, endOnFailure: true },
  )
  console.info(`${runs} runs`)
  expect(runs).toBeGreaterThan(0)
}, 120_000)
