import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Parser } from '@asyncapi/parser'
import { FormatRegistry, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { isNode } from '../../../src/adapters/http/docs/node.ts'
import { describeSocket } from '../../../src/adapters/ws/asyncapi.ts'
import { CLIENT_EXAMPLES, SERVER_EXAMPLES } from '../../../src/adapters/ws/asyncapi-examples.ts'
import { CLIENT_FRAMES, CLOSE, readFrame, SERVER_FRAMES } from '../../../src/adapters/ws/frames.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { faultsOf } from '../../support/conforms.ts'
import { callsOf, defineShopping } from '../../support/shopping.ts'
import { startSkep, type TestSkep } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'

const CLIENT_TYPES = ['auth', 'subscribe', 'unsubscribe', 'ping']
const SERVER_TYPES = ['ready', 'subscribed', 'unsubscribed', 'pong', 'error', 'event']
const WARNING = 1

interface Message {
  readonly payload: unknown
}
interface Document {
  readonly info: { readonly description: string }
  readonly servers: unknown
  readonly components: { readonly messages: Readonly<Record<string, Message>> }
  readonly operations: Readonly<Record<string, { readonly action: string; readonly messages: readonly unknown[] }>>
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const opened = (schema: TSchema): unknown =>
  JSON.parse(JSON.stringify(schema).replaceAll(/,"additionalProperties":false|"additionalProperties":false,/g, ''))

const document = plain(describeSocket('1.2.3', 'https://skep.example.com/base')) as Document

beforeAll(() => {
  FormatRegistry.Set('date-time', (text) => new Date(text).toJSON() === text)
})
afterAll(() => void FormatRegistry.Delete('date-time'))

test("is valid by AsyncAPI's own parser", async () => {
  const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document))
  expect(diagnostics.filter(({ severity }) => severity <= WARNING)).toEqual([])
  expect(parsed?.operations().length).toBe(Object.keys(document.operations).length)
  expect(parsed?.allMessages().length).toBe(CLIENT_TYPES.length + SERVER_TYPES.length + 2)
})

test('has every frame of the protocol, on its side', () => {
  expect(Object.keys(document.components.messages).sort()).toEqual(
    [...CLIENT_TYPES, ...SERVER_TYPES, 'text', 'echo'].sort(),
  )
  for (const type of CLIENT_TYPES) {
    expect(document.operations[type]).toMatchObject({
      action: 'receive',
      messages: [{ $ref: `#/channels/socket/messages/${type}` }],
    })
  }
  expect(document.operations.deliver?.action).toBe('send')
})

test('has the schemas that frames are checked with', () => {
  for (const [type, schema] of Object.entries(CLIENT_FRAMES)) {
    expect(document.components.messages[type]?.payload).toEqual(plain(schema))
  }
  for (const [type, schema] of Object.entries(SERVER_FRAMES)) {
    // Open, as a later version may add to them.
    expect(document.components.messages[type]?.payload).toEqual(opened(schema))
  }
})

test.each(Object.entries({ ...CLIENT_FRAMES, ...SERVER_FRAMES } as Record<string, TSchema>))(
  'the examples of %s are such frames, and nothing with another property is',
  (type, schema) => {
    const examples: readonly object[] =
      { ...CLIENT_EXAMPLES, ...SERVER_EXAMPLES }[type as keyof typeof CLIENT_EXAMPLES] ?? []
    expect(examples.length).toBeGreaterThan(0)
    for (const example of examples) {
      expect([...Value.Errors(schema, example)]).toEqual([])
      expect(Value.Check(schema, { ...example, more: 1 })).toBe(false)
    }
  },
)

test.each(Object.entries(CLIENT_EXAMPLES))('the server takes the examples of %s', (_, examples) => {
  for (const example of examples) {
    expect(readFrame(JSON.stringify(example))).toEqual({ kind: 'frame', frame: example })
  }
})

test('lists every code that a connection ends with', () => {
  for (const code of Object.values(CLOSE)) expect(document.info.description).toContain(`| ${code} |`)
})

test('names the server as clients reach it', () => {
  expect(document.servers).toMatchObject({ skep: { host: 'skep.example.com', protocol: 'wss', pathname: '/base' } })
})

test('is served at /asyncapi.json', async () => {
  const skep = await startSkep()
  const { status, headers, body } = await skep.call('GET', '//asyncapi.json')
  expect(status).toBe(200)
  expect(headers.get('content-type')).toContain('application/json')
  expect(body).toMatchObject({ asyncapi: '3.0.0', servers: { skep: { host: new URL(skep.url).host, protocol: 'ws' } } })
})

describe('of a server with collections', () => {
  const definedAt = async () => {
    const skep = await startSkep()
    const root = await createFirstAdmin(skep)
    const admin = callsOf(skep, root)
    await defineShopping(admin)
    return { skep, admin, token: root.token }
  }
  const read = async ({ call }: TestSkep, headers: Record<string, string> = {}) =>
    call<Document>('GET', '//asyncapi.json', { headers })

  test('has the topics and events of each, and is valid', async () => {
    const { skep } = await definedAt()
    const { body } = await read(skep)
    expect(body.info.description).toContain('| `tasks/{id}` | one of them |')
    expect(Object.keys(body.components.messages)).toContainValues(['event', 'TaskEvent', 'ListEvent'])
    expect(body.operations.deliver?.messages).toEqual(
      ['event', 'ListEvent', 'TaskEvent'].map((name) => ({ $ref: `#/channels/socket/messages/${name}` })),
    )
    const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(body))
    expect(diagnostics.filter(({ severity }) => severity <= WARNING)).toEqual([])
    expect(parsed?.allMessages().length).toBe(CLIENT_TYPES.length + SERVER_TYPES.length + 2 + 2)
  })

  test('changes with the definitions, and its ETag with it', async () => {
    const { skep, admin } = await definedAt()
    const first = await read(skep)
    const etag = first.headers.get('etag') ?? ''
    expect((await read(skep, { 'if-none-match': etag })).status).toBe(304)
    await admin.define('plants', { schema: { type: 'object', properties: { height: { type: 'number' } } } })
    const second = await read(skep, { 'if-none-match': etag })
    expect(second.status).toBe(200)
    expect(second.body.components.messages).toContainKey('PlantEvent')
    await admin.call('DELETE', '/collections/plants')
    expect((await read(skep)).body).toEqual(first.body)
  })

  test('describes the frames that the server sends', async () => {
    const { skep, admin, token } = await definedAt()
    const { body } = await read(skep)
    await using socket = await openSocket(skep.url, { token })
    const faults = async (name: string, frame: object) => {
      const payload = body.components.messages[name]?.payload
      return isNode(payload) ? [...faultsOf({ ...body }, payload, await socket.sees(frame))] : ['it is not described']
    }
    socket.send({ type: 'subscribe', topic: 'tasks', filter: '!done' })
    await socket.sees({ type: 'subscribed' })
    const { body: list } = await admin.create('lists', { name: 'Groceries' })
    const { body: task } = await admin.create('tasks', { title: 'Milk', list: list.id })
    expect(await faults('TaskEvent', { event: 'task.created' })).toEqual([])
    await admin.patch('tasks', task.id, { amount: 1.5 })
    expect(await faults('TaskEvent', { event: 'task.updated' })).toEqual([])
    await admin.patch('tasks', task.id, { done: true })
    expect(await faults('TaskEvent', { event: 'task.left' })).toEqual([])
  })
})

test('the example of an error is one that the server sends', async () => {
  const skep = await startSkep()
  const { token } = await skep.member()
  await using socket = await openSocket(skep.url, { token })
  socket.send({ type: 'subscribe', topic: 'jobs' })
  expect(await socket.sees({ type: 'error' })).toEqual({ ...SERVER_EXAMPLES.error[0] })
})
