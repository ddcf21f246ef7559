import fc from 'fast-check'
import { AppError } from '../../src/domain/errors.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { LiveCollections, LiveMember } from './live-collections.ts'
import { createFollower, type Follower } from './live-follower.ts'

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

/** One change of the records, definitions, roles or connections of a run. */
interface Action {
  readonly kind: number
  readonly which: number
  readonly value: number
  readonly other: number
}

export const action = fc.record({
  kind: fc.nat({ max: 26 }),
  which: fc.nat({ max: 100 }),
  value: fc.nat({ max: 100 }),
  other: fc.nat({ max: 100 }),
})

const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length]

/** Who takes part in the runs. */
export interface Cast {
  readonly skep: LiveCollections
  /** Those who follow the records, of whom the first is an admin at the beginning of each run. */
  readonly people: readonly LiveMember[]
  readonly changer: LiveMember
}

/** The records of a run, and how they are changed. */
export const createWorld = async ({ skep, people, changer }: Cast, run: number) => {
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
