import { Database } from 'bun:sqlite'
import { callAt } from '../../tests/support/call.ts'
import type { Context } from './case.ts'
import { gatherCrowd, SECRET } from './crowd.ts'
import { fillTasks } from './fill-tasks.ts'
import { databaseOf, startSkep } from './skep.ts'
import { LISTS, TASKS } from './tasks.ts'

const MEMBERS_COUNT = 65
const MAX_LISTS_COUNT = 1_000
const RECORDS_PER_LIST_COUNT = 1_000
const MEMBERS_PER_LIST_COUNT = 3

export interface Person {
  readonly id: number
  readonly token: string
}

export interface List {
  readonly id: number
  readonly owner: Person
}

/** A database with lists and tasks, and people who are signed in. A server on it needs {@link SECRET}. */
export interface CollectionData {
  readonly folder: string
  readonly admin: Person
  /** Each owns as many of the lists as the others, and is a member of twice as many. */
  readonly members: readonly Person[]
  readonly lists: readonly List[]
  readonly recordsCount: number
}

/** An admin first, and so many others. */
const gatherPeople = async ({ form }: Context, folder: string, count: number): Promise<readonly Person[]> => {
  const tokens = await gatherCrowd({ form, folder, users: 1 + count, sessionsEach: 1, role: 'user' })
  using database = new Database(databaseOf(folder), { readwrite: true, create: false, strict: true })
  const ids = database.query<{ readonly id: number }, []>('SELECT id FROM users ORDER BY id').all()
  database.run("UPDATE users SET role = 'admin' WHERE id = ?", [ids[0]?.id ?? 0])
  return ids.map(({ id }, index) => ({ id, token: tokens[index] ?? '' }))
}

const call = async <T>(url: string, token: string, method: string, path: string, json: unknown): Promise<T> => {
  const { status, body } = await callAt<T>(url, method, path, { token, json })
  if (status !== 200 && status !== 201) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(body)}`)
  return body
}

/** Lists that are each shared by {@link MEMBERS_PER_LIST_COUNT} of the members, one of them its owner. */
const makeLists = async (url: string, members: readonly Person[], count: number): Promise<readonly List[]> => {
  const lists: List[] = []
  for (let n = 0; n < count; n++) {
    const sharing = Array.from({ length: MEMBERS_PER_LIST_COUNT }, (_, place) => members[(n + place) % members.length])
    const [owner, ...others] = [...new Set(sharing)]
    if (owner === undefined) throw new Error('nobody is there')
    const list = { title: `List ${n}`, members: others.map((person) => person?.id) }
    const { id } = await call<{ readonly id: number }>(url, owner.token, 'POST', '/collections/lists/records/', list)
    lists.push({ id, owner })
  }
  return lists
}

interface DataOptions {
  /** People who share the lists. */
  readonly members: number
  readonly lists: number
  readonly records: number
}

const defineAndList = async (context: Context, folder: string, options: DataOptions) => {
  const [admin, ...members] = await gatherPeople(context, folder, options.members)
  if (admin === undefined) throw new Error('nobody is there')
  await using skep = await startSkep(context.form, { folder, core: null, env: SECRET })
  for (const definition of [LISTS, TASKS]) {
    await call(skep.url, admin.token, 'PUT', `/collections/${definition.name}`, definition)
  }
  return { admin, members, lists: await makeLists(skep.url, members, options.lists) }
}

/** A database with so many lists, and so many tasks in them. */
export const makeCollections = async (context: Context, options: DataOptions): Promise<CollectionData> => {
  const folder = context.folder()
  const made = await defineAndList(context, folder, options)
  await fillTasks(databaseOf(folder), { lists: made.lists, count: options.records, progress: context.progress })
  return { folder, recordsCount: options.records, ...made }
}

/** Where the tasks are. */
export const RECORDS_PATH = '/api/v1/collections/tasks/records/'

let shared: Promise<CollectionData> | undefined

/**
 * As many records as the settings say, about a thousand in each list. All cases of a run have the same folder, so one that
 * adds to it comes after those that do not.
 */
export const sharedCollections = (context: Context): Promise<CollectionData> => {
  const { records } = context.settings
  const lists = Math.min(MAX_LISTS_COUNT, Math.max(MEMBERS_COUNT, Math.ceil(records / RECORDS_PER_LIST_COUNT)))
  shared ??= makeCollections(context, { members: MEMBERS_COUNT, lists, records })
  return shared
}
