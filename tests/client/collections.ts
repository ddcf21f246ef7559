/** The collections that tests of the client use, as `skep types` would write them. */

export interface List {
  id: number
  owner_id: number | null
  name: string
  members?: number[]
  version: number
  created_at: string
  updated_at: string
}

export interface Task {
  id: number
  owner_id: number | null
  title: string
  done?: boolean
  due_at: string | null
  rank?: number
  list: number | null
  version: number
  created_at: string
  updated_at: string
  expanded?: { list?: List }
}

export interface Collections {
  lists: {
    record: List
    create: { name: string; members?: number[] }
    update: { name?: string; members?: number[] | null }
  }
  tasks: {
    record: Task
    create: { title: string; done?: boolean; due_at?: string | null; rank?: number; list?: number | null }
    update: {
      title?: string
      done?: boolean | null
      due_at?: string | null
      rank?: number | null
      list?: number | null
    }
  }
}

const SHARED = 'auth.id == record.owner_id || auth.id == record.list.owner_id || auth.id in record.list.members'

export const DEFINITIONS = {
  lists: {
    schema: {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string', maxLength: 100 },
        members: {
          type: 'array',
          items: { type: 'integer' },
          default: [],
          'x-ref': 'users',
          'x-on-delete': 'clear',
        },
      },
    },
    rules: { read: 'auth.id == record.owner_id || auth.id in record.members' },
  },
  tasks: {
    schema: {
      type: 'object',
      required: ['title'],
      properties: {
        title: { type: 'string', minLength: 1, maxLength: 200 },
        done: { type: 'boolean', default: false },
        due_at: { type: ['string', 'null'], format: 'date-time' },
        rank: { type: 'integer' },
        list: { type: ['integer', 'null'], 'x-ref': 'lists', 'x-on-delete': 'cascade' },
      },
    },
    indexes: [{ fields: ['title'] }, { fields: ['due_at', 'rank'] }, { fields: ['rank', 'title'] }],
    search: ['title'],
    rules: { read: SHARED, update: SHARED, delete: SHARED },
  },
} as const
