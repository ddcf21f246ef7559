import { describe, expect, test } from 'bun:test'
import pkg from '../../../package.json' with { type: 'json' }
import { createEventLoopSlices } from '../../../src/adapters/bun/event-loop-slices.ts'
import { createLiveDocument } from '../../../src/adapters/http/docs/live-document.ts'
import { isNode, type Node, nodeAt } from '../../../src/adapters/http/docs/node.ts'
import type { StoredCollection } from '../../../src/application/ports/collections.ts'
import type { Collection } from '../../../src/domain/collection.ts'
import { document as base, operationsIn, schemasIn } from '../../support/openapi.ts'

describe('the document of many collections', () => {
  const stored = (id: number, collection: Partial<Collection>): StoredCollection => ({
    id,
    version: 1,
    epoch: 'a',
    createdAt: 0,
    updatedAt: 0,
    shape: 1,
    indexes: [],
    pending: null,
    deletions: { count: 0, unfinished: [], clearedFields: [] },
    collection: {
      name: `things_${id}`,
      singular: `thing_${id}`,
      description: '',
      fields: { text: { type: 'string' } },
      required: [],
      sorts: [],
      search: [],
      indexes: [],
      ...collection,
    },
  })

  const describing = (all: readonly StoredCollection[]) => {
    let turns = 0
    const slices = createEventLoopSlices()
    const next = () => {
      turns++
      return slices.next()
    }
    const current = createLiveDocument({
      base: () => Promise.resolve(base),
      collections: () => Promise.resolve(all),
      slices: { ...slices, next },
    })
    return { current, turns: () => turns }
  }

  const read = async (current: ReturnType<typeof createLiveDocument>): Promise<Node> => {
    const { body } = await current()
    const document: unknown = await new Response(body()).json()
    return isNode(document) ? document : {}
  }

  test('is made in turns of the event loop, and once for the same definitions', async () => {
    const all = Array.from({ length: 100 }, (_, n) => stored(n + 1, {}))
    const { current, turns } = describing(all)
    const first = await current()
    const needed = turns()
    expect(needed).toBeGreaterThan(10)
    expect(await current()).toBe(first)
    expect(turns()).toBe(needed)
    expect(operationsIn(await read(current)).length).toBe(operationsIn(base).length + 9 * all.length)
  })

  test('describes again only those that have changed', async () => {
    const all = Array.from({ length: 100 }, (_, n) => stored(n + 1, {}))
    const { current, turns } = describing(all)
    await current()
    const whole = turns()
    all[50] = { ...stored(51, { fields: { changed: { type: 'boolean' } } }), version: 2 }
    expect(nodeAt(schemasIn(await read(current)), 'Thing51Create').properties).toContainKey('changed')
    expect(turns() - whole).toBeLessThanOrEqual(2)
  })

  test('describes a collection again if the schema of one that it references has another name', async () => {
    const all = [stored(1, { fields: { thing: { type: 'integer', 'x-ref': 'problems' } } })]
    const { current } = describing(all)
    const target = async () => {
      const properties = nodeAt(nodeAt(schemasIn(await read(current)), 'Thing1Expanded'), 'properties')
      return properties.thing
    }
    expect(await target()).toBeUndefined()
    all.push(stored(2, { name: 'problems', singular: 'problem' }))
    expect(await target()).toEqual({ $ref: '#/components/schemas/ProblemRecord' })
  })

  test('gives another name to a collection whose own would be taken', async () => {
    const { current } = describing([
      stored(1, { name: 'problems', singular: 'problem' }),
      stored(2, { name: 'a_1s', singular: 'a_1' }),
      stored(3, { name: 'a1s', singular: 'a1' }),
    ])
    const document = await read(current)
    expect(Object.keys(schemasIn(document))).toContainValues(['ProblemRecord', 'A1', 'A1Record'])
    expect(nodeAt(schemasIn(document), 'Problem')).toEqual(nodeAt(schemasIn(base), 'Problem'))
    const ids = operationsIn(document).map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('has the same version for the same program', async () => {
    const document = await read(describing([]).current)
    expect(nodeAt(document, 'info').version).toBe(pkg.version)
    expect(document).toEqual(base)
  })
})
