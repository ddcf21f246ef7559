import { expect, test } from 'bun:test'
import { isNode, listAt, nodeAt } from '../../../src/adapters/http/docs/node.ts'
import { titleOf } from '../../../src/domain/collection.ts'
import { COLLECTIONS } from '../../../src/domain/collections/index.ts'
import { document, nodesIn } from '../../support/openapi.ts'

const schemas = nodeAt(nodeAt(document, 'components'), 'schemas')

test('schemas have names that client generators keep', () => {
  const resources = ['Item', 'StoredFile', 'FileLink', 'User', 'Session', 'Job']
  expect(Object.keys(schemas)).toEqual(
    expect.arrayContaining([
      ...resources.flatMap((name) => [name, `${name}Page`]),
      ...['ItemCreate', 'ItemUpdate', 'ItemBatch', 'ItemBatchOperation', 'ItemBatchResult'],
      ...['UserCreate', 'UserUpdate', 'FileLinkCreate', 'TokenPair', 'Problem', 'FieldError', 'ProblemCode'],
    ]),
  )
  // Types of the languages that clients are generated in, or of their generators.
  for (const name of ['File', 'Error', 'Object', 'Map', 'Date', 'Response', 'Request', 'Client', 'Model']) {
    expect(schemas).not.toContainKey(name)
  }
})

test('every object with properties is a component, so that none gets a made-up name', () => {
  for (const [pointer, node] of nodesIn(document)) {
    if (!('properties' in node) || /\/properties$|\/examples?\//.test(pointer)) continue
    expect(pointer).toMatch(/^\/components\/schemas\/\w+$/)
  }
})

test('no schema is an anyOf; a union of objects has a discriminator that leads to each of them', () => {
  const unions: string[] = []
  for (const [pointer, node] of nodesIn(document)) {
    expect(node).not.toContainKey('anyOf')
    const members = listAt(node, 'oneOf').filter(isNode)
    if (members.length === 0 || members.some(({ type }) => type === 'null')) continue
    unions.push(pointer)
    const { propertyName, mapping } = nodeAt(node, 'discriminator')
    expect({ pointer, to: Object.values(isNode(mapping) ? mapping : {}) }).toEqual({
      pointer,
      to: members.map(({ $ref }) => $ref),
    })
    for (const [value, reference] of Object.entries(isNode(mapping) ? mapping : {})) {
      const member = nodeAt(schemas, String(reference).split('/').at(-1) ?? '')
      expect(listAt(member, 'required')).toContain(propertyName)
      expect(nodeAt(nodeAt(member, 'properties'), String(propertyName)).enum).toEqual([value])
    }
  }
  const titles = ['', ...COLLECTIONS.map(titleOf)]
  expect(unions).toEqual(titles.map((title) => `/components/schemas/${title}BatchOperation`))
})

test('named choices share no value: in Go all of them are constants of one package', () => {
  const values = Object.values(schemas).flatMap((schema) => (isNode(schema) ? listAt(schema, 'enum') : []))
  expect(values.length).toBeGreaterThan(40)
  expect(new Set(values).size).toBe(values.length)
})

test('every integer has a format', () => {
  for (const [pointer, node] of nodesIn(document)) {
    const isInteger = node.type === 'integer' || listAt(node, 'type').includes('integer')
    if (isInteger)
      expect({ pointer, format: node.format }).toEqual({ pointer, format: expect.stringMatching(/^int(32|64)$/) })
    if (/\/(\w+_)?id$/.test(pointer) && isInteger) expect(node.format).toBe('int64')
  }
})
