import type { ListOptions } from '../../src/application/records.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { Actor, Principal } from '../../src/domain/session.ts'
import { openCollections } from './collections.ts'

export const LISTS = {
  name: 'lists',
  schema: {
    type: 'object',
    required: ['title'],
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 50 },
      members: { type: 'array', items: { type: 'integer' }, 'x-ref': 'users', 'x-on-delete': 'clear', default: [] },
    },
  },
  rules: { read: 'auth.id == record.owner_id || auth.id in record.members' },
} as const

export const TASKS = {
  name: 'tasks',
  schema: {
    type: 'object',
    required: ['title', 'list'],
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 50 },
      done: { type: 'boolean', default: false },
      due_at: { type: ['string', 'null'], format: 'date-time' },
      note: { type: 'string', default: 'none' },
      meta: { type: 'object' },
      list: { type: 'integer', 'x-ref': 'lists', 'x-on-delete': 'cascade' },
    },
  },
  indexes: [{ fields: ['list', 'title'], unique: true }],
  rules: {
    read: 'auth.id == record.list.owner_id || auth.id in record.list.members',
    create: 'auth.id == record.list.owner_id || auth.id in record.list.members',
    update: '(auth.id == record.list.owner_id || auth.id in record.list.members) && next.list == record.list',
    delete: 'auth.id == record.owner_id',
  },
} as const

/** The first page of a list, with as little as can be asked for. */
export const PAGE = {
  size: 10,
  sort: { field: 'created_at', descending: false },
  from: { page: 1 },
  ownerId: null,
  text: null,
  createdAfter: null,
  createdBefore: null,
} as const

/** A list of one person that another is a member of. */
export const openShared = async () => {
  const opened = openCollections()
  const { define, create, person } = opened
  await define(LISTS)
  await define(TASKS)
  const [owner, member, stranger] = [await person(), await person(), await person()]
  const list = await create(owner, 'lists', { title: 'home', members: [member.userId] })
  return { ...opened, owner, member, stranger, list }
}

type Opened = Pick<ReturnType<typeof openCollections>, 'records'>

/** The titles of what a reader sees of a collection. */
export const titles = async ({ records }: Opened, reader: Principal | null, name: string, options?: ListOptions) => {
  const { page } = await records.list(reader, name, PAGE, options)
  return page.items.map(({ title }) => title)
}

/** Changes a record, whatever its version. */
export const patch = ({ records }: Opened, author: Actor, name: string, id: number, change: JsonObject) =>
  records.update(author, name, id, change, { expected: null })
