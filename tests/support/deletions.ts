import { expect } from 'bun:test'
import fc from 'fast-check'
import type { ReferenceAction } from '../../src/domain/collection.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { collectionsOn } from './collections.ts'

type Opened = ReturnType<typeof collectionsOn>

export const reference = (target: string, action: ReferenceAction, isList = false): JsonObject =>
  isList
    ? { type: 'array', items: { type: 'integer' }, 'x-ref': target, 'x-on-delete': action }
    : { type: ['integer', 'null'], 'x-ref': target, 'x-on-delete': action }

export const collectionOf = (name: string, properties: JsonObject, more: JsonObject = {}) => ({
  name,
  singular: `${name}_one`,
  schema: { type: 'object', properties },
  rules: { read: 'true' },
  ...more,
})

interface Node {
  readonly name: string
  readonly id: number
  readonly fields: Readonly<Record<string, number | null | readonly number[]>>
}

interface Field {
  readonly collection: string
  readonly name: string
  readonly target: string
  readonly action: ReferenceAction
  readonly isList: boolean
}

const keyOf = (name: string, id: number) => `${name}/${id}`

const idsOf = (value: Node['fields'][string] | undefined): readonly number[] =>
  value === null || value === undefined ? [] : typeof value === 'number' ? [value] : value

/** What a deletion should lead to; null if it should be refused. */
const deleteIn = (graph: ReadonlyMap<string, Node>, fields: readonly Field[], key: string) => {
  const gone = new Set([key])
  const references = (node: Node, field: Field) =>
    field.collection === node.name && idsOf(node.fields[field.name]).some((id) => gone.has(keyOf(field.target, id)))
  for (let size = 0; size !== gone.size; ) {
    size = gone.size
    for (const [other, node] of graph) {
      if (fields.some((field) => field.action === 'cascade' && references(node, field))) gone.add(other)
    }
  }
  const left = [...graph].filter(([other]) => !gone.has(other))
  if (left.some(([, node]) => fields.some((field) => field.action === 'restrict' && references(node, field))))
    return null
  return new Map(
    left.map(([other, node]) => {
      const cleared = fields.filter((field) => field.action === 'clear' && references(node, field))
      const changes = cleared.map(({ name, target, isList }) => {
        const ids = idsOf(node.fields[name]).filter((id) => !gone.has(keyOf(target, id)))
        return [name, isList ? ids : (ids[0] ?? null)] as const
      })
      return [other, { ...node, fields: { ...node.fields, ...Object.fromEntries(changes) } }] as const
    }),
  )
}

const NAMES = ['as', 'bs', 'cs'] as const

const graphs = fc.record({
  fields: fc.array(
    fc.record({
      collection: fc.constantFrom(...NAMES),
      target: fc.constantFrom(...NAMES),
      action: fc.constantFrom<ReferenceAction>('restrict', 'cascade', 'cascade', 'clear', 'clear'),
      isList: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  nodes: fc.array(
    fc.record({ name: fc.constantFrom(...NAMES), edges: fc.array(fc.tuple(fc.nat(5), fc.nat(50)), { maxLength: 8 }) }),
    { minLength: 2, maxLength: 12 },
  ),
  deletions: fc.array(fc.nat(50), { minLength: 1, maxLength: 6 }),
})

/** Random deletions in random graphs have the results that {@link deleteIn} expects. */
export const deletionsLikeTheModel = (open: () => Opened | Promise<Opened>) =>
  fc.asyncProperty(graphs, async ({ fields: given, nodes, deletions }) => {
    const { define, create, records, anAdmin } = await open()
    const admin = await anAdmin()
    const fields: readonly Field[] = given.map((field, n) => ({ ...field, name: `r${n}` }))
    for (const name of NAMES) await define(collectionOf(name, {}))
    for (const name of NAMES) {
      const own = fields.filter(({ collection }) => collection === name)
      await define(
        collectionOf(name, Object.fromEntries(own.map((f) => [f.name, reference(f.target, f.action, f.isList)]))),
      )
    }
    const ids: {
      readonly name: string
      readonly id: number
      readonly edges: readonly (readonly [number, number])[]
    }[] = []
    for (const { name, edges } of nodes) ids.push({ name, edges, id: (await create(admin, name, {})).id })
    let graph: ReadonlyMap<string, Node> = new Map()
    const built = new Map<string, Node>()
    for (const { name, id, edges } of ids) {
      const values: Record<string, number | null | number[]> = {}
      for (const field of fields.filter(({ collection }) => collection === name))
        values[field.name] = field.isList ? [] : null
      for (const [at, to] of edges) {
        const field = fields[at % fields.length]
        const targets = ids.filter((each) => each.name === field?.target)
        const target = targets[to % Math.max(targets.length, 1)]
        if (field === undefined || target === undefined || field.collection !== name) continue
        const before = values[field.name]
        values[field.name] = Array.isArray(before) ? [...new Set([...before, target.id])] : target.id
      }
      await records.update(admin, name, id, values, { expected: null })
      built.set(keyOf(name, id), { name, id, fields: values })
    }
    graph = built
    for (const which of deletions) {
      const [key, node] = [...graph][which % Math.max(graph.size, 1)] ?? []
      if (key === undefined || node === undefined) break
      const expected = deleteIn(graph, fields, key)
      const outcome = await records.remove(admin, node.name, node.id, null).then(
        () => 'done',
        (error) => error.code,
      )
      expect(outcome).toBe(expected === null ? 'referenced' : 'done')
      graph = expected ?? graph
      for (const { name, id } of ids) {
        const known = graph.get(keyOf(name, id))
        const found = await records.get(admin, name, id).then(
          ({ record }) => record,
          () => null,
        )
        if (known === undefined) expect(found).toBeNull()
        else expect(found).toMatchObject(known.fields)
      }
    }
  })
