import { compileExpression } from '../../src/adapters/cel/compile.ts'
import type { ExpressionContext, ExpressionFault } from '../../src/application/ports/collections.ts'
import type { Collection } from '../../src/domain/collection.ts'
import type { AuthValue, Expression } from '../../src/domain/expression.ts'
import type { Environment } from '../../src/domain/expression-evaluation.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { collectionNamed, NOW } from './expressions.ts'

/** A collection with a field of each type. */
export const TASKS: Collection = {
  name: 'tasks',
  singular: 'task',
  description: 'Tasks',
  fields: {
    title: { type: 'string', maxLength: 200 },
    note: { type: ['string', 'null'] },
    done: { type: ['boolean', 'null'] },
    count: { type: 'integer' },
    price: { type: ['number', 'null'] },
    due_at: { type: ['string', 'null'], format: 'date-time' },
    tags: { type: 'array', items: { type: 'string' } },
    days: { type: 'array', items: { type: 'string', format: 'date-time' } },
    rows: { type: 'array', items: { type: 'object' } },
    place: {
      type: 'object',
      properties: { city: { type: ['string', 'null'] }, seen_at: { type: 'string', format: 'date-time' } },
    },
    data: { type: 'object' },
    list: { type: ['integer', 'null'], 'x-ref': 'lists' },
    parent: { type: ['integer', 'null'], 'x-ref': 'tasks' },
    photo: { type: ['integer', 'null'], 'x-ref': 'files' },
    watchers: { type: 'array', items: { type: 'integer' }, 'x-ref': 'users' },
  },
  required: ['title'],
  sorts: [],
  search: [],
}

type Use = ExpressionContext['use']

const compile = (text: string, use: Use) => compileExpression(text, { collection: TASKS, use, collectionNamed })

/** A condition on tasks. Throws if it is refused. */
export const condition = (text: string, use: Use = 'update'): Expression => {
  const result = compile(text, use)
  if ('faults' in result) throw new Error(`${text}: ${JSON.stringify(result.faults)}`)
  return result.expression
}

/** Why a condition on tasks is refused; empty if it is accepted. */
export const faultsOf = (text: string, use: Use = 'update'): readonly ExpressionFault[] => {
  const result = compile(text, use)
  return 'faults' in result ? result.faults : []
}

export const ADA: AuthValue = { id: 1, role: 'user', email: 'ada@example.com', emailVerified: true }

const REFERENCED: Readonly<Record<string, JsonObject>> = {
  'users/1': { id: 1, name: 'Ada' },
  'lists/7': {
    id: 7,
    ownerId: 1,
    version: 2,
    createdAt: NOW,
    updatedAt: NOW,
    title: 'Home',
    owner: 1,
    members: [1, 2],
  },
  'files/5': { id: 5, ownerId: 2, filename: 'a.png', contentType: 'image/png', size: 9, createdAt: NOW },
}

/** A task with these fields, for Ada. List 7, user 1 and file 5 exist. */
export const environmentOf = (fields: JsonObject, changed: Partial<Environment> = {}): Environment => ({
  record: { id: 3, ownerId: 1, version: 1, epoch: 'e', createdAt: NOW - 3_600_000, updatedAt: NOW, ...fields },
  auth: ADA,
  now: NOW,
  referenced: (target, id) => REFERENCED[`${target}/${id}`] ?? null,
  ...changed,
})
