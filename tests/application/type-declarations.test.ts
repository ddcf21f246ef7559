import { expect, test } from 'bun:test'
import fc from 'fast-check'
import ts from 'typescript'
import { compileValidator } from '../../src/adapters/json-schema/validator.ts'
import { typeDeclarationsOf } from '../../src/application/type-declarations.ts'
import type { Collection } from '../../src/domain/collection.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { collectionOf, collections, definitionWith, draftsOf } from '../support/definitions.ts'

const OPTIONS: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  types: [],
  lib: ['lib.esnext.d.ts'],
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.Preserve,
}

const host = ts.createCompilerHost(OPTIONS)
const libraries = new Map<string, ts.SourceFile | undefined>()

const library: ts.CompilerHost['getSourceFile'] = (name, options) => {
  if (!libraries.has(name)) libraries.set(name, host.getSourceFile(name, options))
  return libraries.get(name)
}

/** What the compiler says about a module. */
const errorsIn = (source: string): readonly string[] => {
  const file = ts.createSourceFile('types.ts', source, ts.ScriptTarget.ESNext)
  const program = ts.createProgram(['types.ts'], OPTIONS, {
    ...host,
    getSourceFile: (name, options) => (name === 'types.ts' ? file : library(name, options)),
  })
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start = 0 }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n')
    return `${text} at ${source.slice(start, start + 200)}`
  })
}

const TASKS = collectionOf(
  definitionWith(
    {
      title: { type: 'string', description: 'One line' },
      done: { type: 'boolean', default: false },
      state: { type: ['string', 'null'], enum: ['open', 'closed', null] },
      list: { type: 'integer', 'x-ref': 'lists', description: 'Where it is' },
      due_at: { type: ['string', 'null'], format: 'date-time' },
      tags: { type: 'array', items: { type: 'string' } },
      place: {
        type: 'object',
        required: ['lat'],
        properties: { lat: { type: 'number' }, 'post code': { type: 'string' } },
      },
    },
    {},
    { title: 'Task', description: 'Something to do.\nEnds */ here', required: ['title', 'list', 'done'] },
  ),
)

test('every collection has a type for its records, for creating and for changing them', () => {
  expect(typeDeclarationsOf([TASKS])).toBe(`// Written by \`skep types\` from the definitions of the collections.

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
   * Where it is
   * References \`lists\`
   */
  list: number
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
}

export interface TaskCreate {
  /** One line */
  title: string
  done?: boolean
  state?: "open" | "closed" | null
  /**
   * Where it is
   * References \`lists\`
   */
  list: number
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
   * Where it is
   * References \`lists\`
   */
  list?: number
  /** Format: date-time */
  due_at?: string | null
  tags?: string[] | null
  place?: {
    lat?: number
    "post code"?: string | null
  } | null
}

/** The types of every collection, by its name */
export interface Collections {
  tasks: { record: Task; create: TaskCreate; update: TaskUpdate }
}
`)
})

test('the text does not depend on the order of the collections', () => {
  expect(typeDeclarationsOf([TASKS, ITEMS])).toBe(typeDeclarationsOf([ITEMS, TASKS]))
})

test('a type error is found where a record does not fit', () => {
  const types = typeDeclarationsOf([TASKS, ITEMS])
  const use = (statement: string) => errorsIn(`${types}\n${statement}`)
  expect(use('export const good: TaskCreate = { title: "a", list: 1 }')).toEqual([])
  expect(
    use('export const update: Collections["tasks"]["update"] = { place: { "post code": null }, tags: null }'),
  ).toEqual([])
  expect(use('export const item: Item["data"] = { any: [1] }')).toEqual([])
  expect(use('export const missing: TaskCreate = { title: "a" }')).toHaveLength(1)
  expect(use('export const wrong: TaskCreate = { title: "a", list: 1, state: "lost" }')).toHaveLength(1)
  expect(use('export const removed: TaskUpdate = { title: null }')).toHaveLength(1)
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
