import type { Answer, Call } from './call.ts'
import type { Member, TestSkep } from './skep.ts'

/** A record as REST shows it. */
export interface RecordBody {
  readonly id: number
  readonly owner_id: number | null
  readonly version: number
  readonly created_at: string
  readonly updated_at: string
  readonly expanded?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

export interface PageBody<T = RecordBody> {
  readonly items: readonly T[]
  readonly total: number | null
  readonly next_cursor: string | null
}

export interface ProblemBody {
  readonly code: string
  readonly detail: string
  readonly index?: number
  readonly errors?: readonly { readonly in?: string; readonly pointer: string; readonly detail: string }[]
  readonly records?: { readonly count: number; readonly first: readonly object[] }
}

const MAY_USE_LIST = 'auth.id == record.list.owner_id || auth.id in record.list.members'

/** Lists that have members, and tasks that the owner and the members of their list may see and change. */
export const SHOPPING = {
  lists: {
    schema: {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 200 },
        members: { type: 'array', items: { type: 'integer' }, 'x-ref': 'users', 'x-on-delete': 'clear', default: [] },
      },
    },
    rules: {
      read: 'auth.id == record.owner_id || auth.id in record.members',
      create: 'auth != null',
      update: 'auth.id == record.owner_id',
      delete: 'auth.id == record.owner_id',
    },
  },
  tasks: {
    singular: 'task',
    schema: {
      type: 'object',
      required: ['title', 'list'],
      properties: {
        title: { type: 'string', minLength: 1, maxLength: 200 },
        done: { type: 'boolean', default: false },
        due_at: { type: ['string', 'null'], format: 'date-time' },
        amount: { type: 'number' },
        list: { type: 'integer', 'x-ref': 'lists', 'x-on-delete': 'cascade' },
        photo: { type: ['integer', 'null'], 'x-ref': 'files' },
      },
    },
    indexes: [{ fields: ['list', 'due_at'] }, { fields: ['list', 'title'], unique: true }],
    search: ['title'],
    rules: {
      read: MAY_USE_LIST,
      create: MAY_USE_LIST,
      update: `(${MAY_USE_LIST}) && next.list == record.list`,
      delete: 'auth.id == record.owner_id',
    },
    owner: 'keep',
  },
}

/** Sends requests as one person, or as someone without a token. */
export const callsOf = (skep: TestSkep, by?: Member) => {
  const call = <T = RecordBody>(method: string, path: string, options: Call = {}): Promise<Answer<T>> =>
    skep.call<T>(method, path, { token: by?.token, ...options })
  const recordsOf = (collection: string) => `/collections/${collection}/records/`
  return {
    call,
    define: <T = Record<string, unknown>>(name: string, definition: object, headers: Record<string, string> = {}) =>
      call<T>('PUT', `/collections/${name}`, { json: definition, headers }),
    create: <T = RecordBody>(collection: string, json: object, headers: Record<string, string> = {}) =>
      call<T>('POST', recordsOf(collection), { json, headers }),
    get: <T = RecordBody>(collection: string, id: number, query = '', headers: Record<string, string> = {}) =>
      call<T>('GET', `${recordsOf(collection)}${id}${query}`, { headers }),
    list: <T = PageBody>(collection: string, query: Readonly<Record<string, string>> = {}) =>
      call<T>('GET', `${recordsOf(collection)}?${new URLSearchParams(query)}`),
    patch: <T = RecordBody>(collection: string, id: number, json: object, headers: Record<string, string> = {}) =>
      call<T>('PATCH', `${recordsOf(collection)}${id}`, { json, headers }),
    remove: <T = ProblemBody>(collection: string, id: number, headers: Record<string, string> = {}) =>
      call<T>('DELETE', `${recordsOf(collection)}${id}`, { headers }),
  }
}

export type Calls = ReturnType<typeof callsOf>

/** A list of its owner, with another member, and someone who has nothing to do with it. */
export const householdOn = async (skep: TestSkep) => {
  const [ann, bob, eve] = [await skep.member(), await skep.member(), await skep.member()]
  const [owner, member, stranger] = [callsOf(skep, ann), callsOf(skep, bob), callsOf(skep, eve)]
  const { body: list } = await owner.create('lists', { name: 'Groceries', members: [bob.id] })
  return { ann, bob, eve, owner, member, stranger, list }
}

/** Defines the collections of the shopping list. */
export const defineShopping = async (admin: Calls): Promise<void> => {
  for (const [name, definition] of Object.entries(SHOPPING)) {
    const { status, body } = await admin.define(name, definition)
    if (status !== 201) throw new Error(`defining ${name} answered ${status}: ${JSON.stringify(body)}`)
  }
}
