import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { compileValidator } from '../../src/adapters/json-schema/validator.ts'
import { typeDeclarationsOf } from '../../src/application/type-declarations.ts'
import type { Collection } from '../../src/domain/collection.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { collectionOf, collections, definitionWith, draftsOf } from '../support/definitions.ts'
import { errorsIn } from '../support/typescript.ts'

const TASKS = collectionOf(
  definitionWith(
    {
      title: { type: 'string', description: 'One line' },
      done: { type: 'boolean', default: false },
      state: { type: ['string', 'null'], enum: ['open', 'closed', null] },
      parent: { type: 'integer', 'x-ref': 'tasks', description: 'What it is a part of' },
      watchers: { type: 'array', items: { type: 'integer' }, 'x-ref': 'users', default: [] },
      photo: { type: ['integer', 'null'], 'x-ref': 'files' },
      due_at: { type: ['string', 'null'], format: 'date-time' },
      tags: { type: 'array', items: { type: 'string' } },
      place: {
        type: 'object',
        required: ['lat'],
        properties: { lat: { type: 'number' }, 'post code': { type: 'string' } },
      },
    },
    {},
    { title: 'Task', description: 'Something to do.\nEnds */ here', required: ['title', 'parent', 'done'] },
  ),
)

test('every collection has a type for its records, for creating and for changing them', () => {
  expect(typeDeclarationsOf([TASKS])).toBe(`// Written by \`skep types\` from the definitions of the collections.

/** The details of a user that other users may see */
export interface UserReference {
  id: number
  name: string
}

export interface StoredFile {
  id: number
  filename: string
  content_type: string
  /** Bytes */
  size: number
  sha256: string
  owner_id: number
  created_at: string
  /** The path of the content */
  path: string
}

/**
 * Task
 * Something to do.
 * Ends *\\/ here
 */
export interface Task {
  id: number
  owner_id: number | null
  /** One line */
  title: string
  done: boolean
  state: "open" | "closed" | null
  /**
   * What it is a part of
   * References \`tasks\`
   */
  parent: number
  /** References \`users\` */
  watchers?: number[]
  /** References \`files\` */
  photo: number | null
  /** Format: date-time */
  due_at: string | null
  tags?: string[]
  place?: {
    lat: number
    "post code"?: string
  }
  version: number
  created_at: string
  updated_at: string
  expanded?: TaskExpanded
}

export interface TaskCreate {
  /** One line */
  title: string
  done?: boolean
  state?: "open" | "closed" | null
  /**
   * What it is a part of
   * References \`tasks\`
   */
  parent: number
  /** References \`users\` */
  watchers?: number[]
  /** References \`files\` */
  photo?: number | null
  /** Format: date-time */
  due_at?: string | null
  tags?: string[]
  place?: {
    lat: number
    "post code"?: string
  }
}

/** A JSON Merge Patch (RFC 7396) */
export interface TaskUpdate {
  /** One line */
  title?: string
  done?: boolean
  state?: "open" | "closed" | null
  /**
   * What it is a part of
   * References \`tasks\`
   */
  parent?: number
  /** References \`users\` */
  watchers?: number[] | null
  /** References \`files\` */
  photo?: number | null
  /** Format: date-time */
  due_at?: string | null
  tags?: string[] | null
  place?: {
    lat?: number
    "post code"?: string | null
  } | null
}

/** What \`expand\` asked for and the caller may read */
export interface TaskExpanded {
  owner?: UserReference
  parent?: Task
  watchers?: UserReference[]
  photo?: StoredFile
}

/** The types of every collection, by its name */
export interface Collections {
  tasks: { record: Task; create: TaskCreate; update: TaskUpdate; expanded: TaskExpanded }
}
`)
})

test('the text does not depend on the order of the collections', () => {
  expect(typeDeclarationsOf([TASKS, ITEMS])).toBe(typeDeclarationsOf([ITEMS, TASKS]))
})

const ACCEPTED = [
  'TaskCreate = { title: "a", parent: 1 }',
  'Collections["tasks"]["update"] = { place: { "post code": null }, tags: null }',
  'Item["data"] = { any: [1] }',
  'Collections["tasks"]["expanded"] = {}',
  'TaskExpanded = { owner: { id: 1, name: "Ann" }, watchers: [] }',
  'string | undefined = ({} as Task).expanded?.parent?.expanded?.owner?.name',
  'string | undefined = ({} as { tasks: Task }).tasks.expanded?.photo?.content_type',
]

const REFUSED = [
  'TaskCreate = { title: "a" }',
  'TaskCreate = { title: "a", parent: 1, state: "lost" }',
  'TaskUpdate = { title: null }',
  'TaskExpanded = { watchers: { id: 1, name: "Ann" } }',
  'TaskExpanded = { title: "a" }',
  'string = ({} as Task).expanded?.photo?.filename',
]

test('a value that does not fit is a type error, and no other is', () => {
  const statements = [
    ...ACCEPTED.map((text, index) => `export const accepted${index}: ${text}`),
    ...REFUSED.map((text, index) => `// @ts-expect-error\nexport const refused${index}: ${text}`),
  ]
  expect(errorsIn([typeDeclarationsOf([TASKS, ITEMS]), ...statements].join('\n'))).toEqual([])
})

test('a field called owner takes the place of the owner in what is expanded', () => {
  const owned = (owner: JsonObject) => typeDeclarationsOf([collectionOf(definitionWith({ owner }))])
  expect(owned({ type: 'string' })).toContain('TaskExpanded {\n  [name: string]: never\n}')
  expect(owned({ type: 'integer', 'x-ref': 'tasks' })).toContain('TaskExpanded {\n  owner?: Task\n}')
})

test('defaults are added to the elements of an array in a new record, but not in a change', () => {
  const items = { type: 'object', required: ['unit'], properties: { unit: { type: 'string', default: 'm' } } }
  const text = typeDeclarationsOf([collectionOf(definitionWith({ parts: { type: 'array', items } }))])
  expect(text).toContain('TaskCreate {\n  parts?: ({\n    unit?: string\n  })[]\n}')
  expect(text).toContain('TaskUpdate {\n  parts?: ({\n    unit: string\n  })[] | null\n}')
})

const renamed = (collection: Collection, index: number): Collection => ({
  ...collection,
  name: `tasks${index}`,
  singular: `task${index}`,
})

test('the types of any collections compile, and fit what their validators accept', () => {
  const samples = fc.sample(collections, { numRuns: 60, seed: 17 }).map(renamed)
  const statements = samples.flatMap((collection, index) => {
    const { draft } = compileValidator(collection)
    return fc.sample(draftsOf(collection), { numRuns: 5, seed: index }).flatMap((input, position) => {
      const result = draft(input)
      if ('faults' in result) throw new Error('the draft fits its schema')
      const record = { id: 1, owner_id: null, version: 1, created_at: '', updated_at: '', ...result.record }
      return [
        `export const record${index}_${position}: Task${index} = ${JSON.stringify(record)}`,
        `export const create${index}_${position}: Task${index}Create = ${JSON.stringify(input)}`,
        `export const update${index}_${position}: Task${index}Update = ${JSON.stringify(input)}`,
      ]
    })
  })
  expect(errorsIn([typeDeclarationsOf([...samples, ITEMS]), ...statements].join('\n'))).toEqual([])
})
