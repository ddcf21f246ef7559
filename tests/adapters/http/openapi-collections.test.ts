import { describe, expect, test } from 'bun:test'
import openapiTS, { astToString } from 'openapi-typescript'
import { isNode, listAt, type Node, nodeAt } from '../../../src/adapters/http/docs/node.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { faultsOf, responseSchema } from '../../support/conforms.ts'
import { createMailbox } from '../../support/mail.ts'
import { document as base, nodesIn, operationsIn, schemasIn } from '../../support/openapi.ts'
import { callsOf, defineShopping } from '../../support/shopping.ts'
import { startSkep, type TestSkep } from '../../support/skep.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)
const admin = callsOf(skep, root)
await defineShopping(admin)

const documentOf = async (on: TestSkep = skep, headers: Record<string, string> = {}) =>
  on.call<Node>('GET', '//openapi.json', { headers })

const operationIn = (document: Node, id: string) => {
  const found = operationsIn(document).find((each) => each.id === id)
  if (found === undefined) throw new Error(`${id} is not in the document`)
  return found
}

const parameterNames = (operation: Node) =>
  listAt(operation, 'parameters').flatMap((each) => (isNode(each) ? [String(each.name)] : []))

describe('the document of a running server', () => {
  test('describes each collection under its own path, with its own operations and schemas', async () => {
    const { body: document } = await documentOf()
    expect(operationIn(document, 'createTask')).toMatchObject({
      method: 'POST',
      path: '/api/v1/collections/tasks/records/',
    })
    expect(operationIn(document, 'updateTask').path).toBe('/api/v1/collections/tasks/records/{id}')
    for (const id of ['listTasks', 'getTask', 'deleteTask', 'exportTasks', 'importTasks', 'listLists', 'createList']) {
      expect(operationIn(document, id).operation.tags).toEqual([id.includes('Task') ? 'tasks' : 'lists'])
    }
    expect(Object.keys(schemasIn(document))).toContainValues(['Task', 'TaskCreate', 'TaskUpdate', 'TaskPage', 'List'])
    expect(nodeAt(schemasIn(document), 'TaskCreate')).toMatchObject({
      required: ['title', 'list'],
      additionalProperties: false,
      properties: {
        title: { type: 'string', minLength: 1, maxLength: 200 },
        done: { type: 'boolean', default: false },
        due_at: { type: ['string', 'null'], format: 'date-time' },
        list: { type: 'integer', format: 'int64', 'x-ref': 'lists' },
      },
    })
    expect(nodeAt(schemasIn(document), 'Task').required).toEqual([
      ...['id', 'owner_id', 'title', 'due_at', 'list', 'photo', 'version', 'created_at', 'updated_at'],
    ])
  })

  test('shows the default of a field only where it applies: when a record is created', async () => {
    const { body: document } = await documentOf()
    const done = (name: string) => nodeAt(nodeAt(nodeAt(schemasIn(document), name), 'properties'), 'done')
    expect(done('TaskCreate')).toHaveProperty('default', false)
    expect(done('TaskUpdate')).not.toHaveProperty('default')
    expect(done('Task')).not.toHaveProperty('default')
  })

  test('describes what expand adds by the references of the collection', async () => {
    const { body: document } = await documentOf()
    const expandedOf = (name: string) => nodeAt(nodeAt(schemasIn(document), `${name}Expanded`), 'properties')
    const schema = (name: string) => ({ $ref: `#/components/schemas/${name}` })
    expect(nodeAt(nodeAt(schemasIn(document), 'Task'), 'properties').expanded).toEqual(schema('TaskExpanded'))
    expect(expandedOf('Task')).toEqual({
      owner: schema('UserReference'),
      list: schema('List'),
      photo: schema('StoredFile'),
    })
    expect(expandedOf('List')).toEqual({
      owner: schema('UserReference'),
      members: { type: 'array', items: schema('UserReference') },
    })
    expect(expandedOf('Item')).toEqual({ owner: schema('UserReference') })
  })

  test('names the sorts of each list, and the parameters that it has', async () => {
    const { operation } = operationIn((await documentOf()).body, 'listTasks')
    expect(parameterNames(operation)).toContainValues(['filter', 'q', 'expand', 'sort', 'page', 'size', 'cursor'])
    const sort = listAt(operation, 'parameters').find((each) => isNode(each) && each.name === 'sort')
    expect(isNode(sort) && nodeAt(sort, 'schema').enum).toEqual(
      ['id', 'created_at', 'updated_at', 'list'].flatMap((name) => [name, `-${name}`]),
    )
    expect(parameterNames(operationIn((await documentOf()).body, 'listLists').operation)).not.toContain('q')
    expect(parameterNames(operationIn((await documentOf()).body, 'updateTask').operation)).toContain('If-Match')
  })

  test('has a unique name for every operation, and only references that resolve', async () => {
    const { body: document } = await documentOf()
    const ids = operationsIn(document).map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [pointer, { $ref }] of nodesIn(document)) {
      if (typeof $ref !== 'string') continue
      const target = $ref.slice(2).split('/').reduce(nodeAt, document)
      expect({ pointer, found: Object.keys(target).length > 0 }).toEqual({ pointer, found: true })
    }
  })

  test('contains everything that is in the document of the program', async () => {
    const { body: document } = await documentOf()
    for (const part of ['paths', 'components'] as const) expect(document[part]).toMatchObject({ ...nodeAt(base, part) })
  })

  test('changes with the definitions, and its ETag with it', async () => {
    const first = await documentOf()
    const etag = first.headers.get('etag') ?? ''
    expect((await documentOf(skep, { 'if-none-match': etag })).status).toBe(304)
    await admin.define('plants', { schema: { type: 'object', properties: { height: { type: 'number' } } } })
    const second = await documentOf(skep, { 'if-none-match': etag })
    expect([second.status, second.headers.get('etag') === etag]).toEqual([200, false])
    expect(schemasIn(second.body)).toContainKey('PlantCreate')
    await admin.call('DELETE', '/collections/plants')
    const third = await documentOf()
    expect([third.headers.get('etag'), third.body]).toEqual([etag, first.body])
  })

  test('tells of what a definition with the same name and version describes differently', async () => {
    const define = (type: string) =>
      admin.define('twins', { schema: { type: 'object', properties: { value: { type } } } })
    await define('number')
    await documentOf()
    await admin.call('DELETE', '/collections/twins')
    await define('boolean')
    const { body } = await documentOf()
    expect(nodeAt(nodeAt(schemasIn(body), 'TwinCreate'), 'properties').value).toMatchObject({ type: 'boolean' })
    await admin.call('DELETE', '/collections/twins')
  })

  test('describes a collection whose name keeps a _ in the names of its schemas', async () => {
    const names = ['a__b', 'ends_']
    for (const name of names) await admin.define(name, { schema: { type: 'object', properties: {} } })
    const { body } = await documentOf()
    expect(Object.keys(schemasIn(body))).toContainValues(['A_B', 'A_BCreate', 'A_BPage', 'Ends_', 'Ends_Update'])
    expect(responseSchema(body, operationIn(body, 'getA_B').operation, 200)).toEqual({
      $ref: '#/components/schemas/A_B',
    })
    for (const name of names) await admin.call('DELETE', `/collections/${name}`)
  })

  test('has no example of a record whose required text must match a pattern', async () => {
    const pattern = { type: 'string', pattern: '^[A-Z]{2}[0-9]+$' }
    await admin.define('codes', { schema: { type: 'object', required: ['code'], properties: { code: pattern } } })
    const { body } = await documentOf()
    const { requestBody } = operationIn(body, 'createCode').operation
    expect(nodeAt(nodeAt({ requestBody }, 'requestBody'), 'content')).toEqual({
      'application/json': { schema: { $ref: '#/components/schemas/CodeCreate' } },
    })
    await admin.call('DELETE', '/collections/codes')
  })

  test('describes nested objects as a change takes them: merged, but arrays as a whole', async () => {
    const part = { type: 'object', required: ['unit'], properties: { unit: { type: 'string', default: 'm' } } }
    const place = {
      type: 'object',
      required: ['lat'],
      properties: { lat: { type: 'number' }, alt: { type: 'number' } },
    }
    const properties = { place, parts: { type: 'array', items: part }, color: { type: 'string', default: 'red' } }
    await admin.define('plans', { schema: { type: 'object', required: ['place', 'color'], properties } })
    const { body } = await documentOf()
    const shown = (name: string, ...path: readonly string[]) =>
      ['properties', ...path].reduce(nodeAt, nodeAt(schemasIn(body), name))
    expect(shown('PlanUpdate', 'place').required).toBeUndefined()
    expect(shown('PlanUpdate', 'place', 'properties', 'lat').type).toBe('number')
    expect(shown('PlanUpdate', 'place', 'properties', 'alt').type).toEqual(['number', 'null'])
    expect(shown('PlanUpdate', 'parts', 'items').required).toEqual(['unit'])
    expect(nodeAt(schemasIn(body), 'PlanCreate').required).toEqual(['place'])
    expect(shown('PlanCreate', 'place').required).toEqual(['lat'])
    expect(shown('PlanCreate', 'parts', 'items').required).toBeUndefined()
    expect(shown('Plan', 'parts', 'items').required).toEqual(['unit'])
    await admin.call('DELETE', '/collections/plans')
  })

  test('is accepted by a generator of types', async () => {
    const { body } = await documentOf()
    const types = astToString(await openapiTS(JSON.stringify(body)))
    for (const name of ['createTask: {', 'Task: {', 'TaskCreate: {', '"/api/v1/collections/tasks/records/{id}"']) {
      expect(types).toContain(name)
    }
  })
})

describe('DOCS=admin', () => {
  test('lets only admins read the documents; the pages stay, and ask for a sign-in', async () => {
    const closed = await startSkep({ DOCS: 'admin' }, { mailer: createMailbox() })
    const { token } = await createFirstAdmin(closed)
    const { token: user } = await closed.member()
    for (const path of ['//openapi.json', '//asyncapi.json']) {
      expect((await closed.call('GET', path)).status).toBe(401)
      expect((await closed.call('GET', path, { token: user })).status).toBe(403)
      expect((await closed.call('GET', path, { token })).status).toBe(200)
    }
    for (const path of ['//docs', '//redoc', '//docs/sign-in.js']) {
      expect((await closed.call('GET', path)).status).toBe(200)
    }
  })
})

test('every response of the server matches the document', async () => {
  const { body: document } = await documentOf()
  const bob = await skep.member()
  const ann = callsOf(skep, await skep.member())
  const { body: list } = await ann.create('lists', { name: 'Groceries', members: [bob.id] })
  const { body: task } = await ann.create('tasks', { title: 'Milk', list: list.id, amount: 1.5 })
  const records = '/collections/tasks/records/'
  const at = `${records}${task.id}`
  const json = { title: 'Bread', list: list.id }
  const calls: readonly (readonly [id: string, status: number, Promise<{ status: number; body: unknown }>])[] = [
    ['createTask', 201, ann.call('POST', records, { json })],
    ['createTask', 409, ann.call('POST', records, { json: { title: 'Milk', list: list.id } })],
    ['createTask', 422, ann.call('POST', records, { json: {} })],
    ['listTasks', 200, ann.call('GET', `${records}?filter=!done&expand=owner,list,list.owner,list.members`)],
    ['listTasks', 422, ann.call('GET', `${records}?filter=!`)],
    ['getTask', 200, ann.call('GET', `${at}?expand=list`)],
    ['getTask', 404, callsOf(skep, await skep.member()).call('GET', at)],
    ['updateTask', 200, ann.call('PATCH', at, { json: { done: true } })],
    ['updateTask', 412, ann.call('PATCH', at, { json: { done: true }, headers: { 'if-match': '"9-a"' } })],
    ['updateTask', 415, ann.call('PATCH', at, { body: 'x', headers: { 'content-type': 'text/plain' } })],
    ['deleteTask', 403, callsOf(skep, bob).call('DELETE', at)],
    ['exportTasks', 403, ann.call('GET', `${records}export`)],
    [
      'importTasks',
      200,
      admin.call('POST', `${records}import`, { body: '{}\n', headers: { 'content-type': 'application/x-ndjson' } }),
    ],
    ['listCollections', 200, admin.call('GET', '/collections/')],
    ['getCollection', 200, admin.call('GET', '/collections/tasks')],
    ['getCollection', 403, ann.call('GET', '/collections/tasks')],
    ['putCollection', 201, admin.call('PUT', '/collections/things', { json: { schema: { type: 'object' } } })],
    ['putCollection', 409, admin.call('PUT', '/collections/items', { json: { schema: { type: 'object' } } })],
    ['deleteCollection', 409, admin.call('DELETE', '/collections/tasks')],
    [
      'batchRecords',
      200,
      ann.call('POST', '/batch', { json: { operations: [{ collection: 'lists', op: 'create', name: 'a' }] } }),
    ],
    ['lookUpUser', 200, ann.call('POST', '/users/lookup', { json: { email: root.email } })],
    ['lookUpUser', 404, ann.call('POST', '/users/lookup', { json: { email: 'nobody@example.com' } })],
  ]
  for (const [id, status, answering] of calls) {
    const answer = await answering
    expect({ id, status: answer.status }).toEqual({ id, status })
    const { operation } = operationIn(document, id)
    expect(Object.keys(nodeAt(operation, 'responses'))).toContain(String(status))
    const faults = [...faultsOf(document, responseSchema(document, operation, status), answer.body)]
    expect({ id, status, faults }).toEqual({ id, status, faults: [] })
  }
})
