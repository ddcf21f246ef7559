import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Glob } from 'bun'
import { isNode, listAt, nodeAt, textAt } from '../../../src/adapters/http/docs/node.ts'
import type { Call, Fields } from '../../support/call.ts'
import { createMailbox } from '../../support/mail.ts'
import { document, type Operation, operations, resolved, responseOf } from '../../support/openapi.ts'
import { startSkep, type TestSkep } from '../../support/skep.ts'
import { MULTIPART, multipart, PNG, part, upload } from '../../support/uploads.ts'

const described = Object.keys(nodeAt(nodeAt(document, 'components'), 'headers')).map((name) => name.toLowerCase())

const operation = (id: string): Operation => {
  const found = operations.find((each) => each.id === id)
  if (found === undefined) throw new Error(`there is no operation ${id}`)
  return found
}

const LIMITS = { RATE_LIMIT: '600/1m', RATE_LIMIT_AUTH: '20/1m' }

/** Names of the headers an operation reads, in lower case. */
const readBy = ({ node }: Operation): readonly string[] =>
  listAt(node, 'parameters')
    .map(resolved)
    .filter((parameter) => parameter.in === 'header')
    .map((parameter) => (textAt(parameter, 'name') ?? '').toLowerCase())

const sentBy = (each: Operation, status: number): readonly string[] =>
  Object.keys(nodeAt(responseOf(each, status), 'headers')).map((name) => name.toLowerCase())

/** Sends what a test of its operation needs, and compares the headers with those the document tells of. */
const compare = async (skep: TestSkep, id: string, status: number, path: string, options: Call) => {
  const each = operation(id)
  const answer = await skep.call<Fields>(each.method, path, options)
  expect({ id, status: answer.status }).toEqual({ id, status })
  const sent = described.filter((name) => answer.headers.has(name))
  expect({ id, status, sent: sent.toSorted() }).toEqual({ id, status, sent: sentBy(each, status).toSorted() })
  const known = [...readBy(each), 'content-type', 'authorization']
  for (const name of Object.keys(options.headers ?? {})) expect(known).toContain(name)
  return answer
}

test('responses have exactly the headers that the document describes for them', async () => {
  const skep = await startSkep(LIMITS, { mailer: createMailbox() })
  const { token } = await skep.member()
  const key = { 'idempotency-key': 'once' }
  const json = { title: 'Oak table' }
  await skep.call('POST', '/items/', { token, json, headers: key })
  const created = await compare(skep, 'createItem', 201, '/items/', { token, json, headers: key })
  const etag = created.headers.get('etag') ?? ''
  const item = `/items/${created.body.id}`
  await compare(skep, 'getItem', 200, item, { token })
  await compare(skep, 'getItem', 304, item, { token, headers: { 'if-none-match': etag } })
  await compare(skep, 'updateItem', 200, item, { token, json: { title: 'Desk' }, headers: { 'if-match': etag } })
  await compare(skep, 'updateItem', 412, item, { token, json: { title: 'x' }, headers: { 'if-match': etag } })
  await compare(skep, 'deleteItem', 412, item, { token, headers: { 'if-match': etag } })
  await compare(skep, 'deleteItem', 204, item, { token, headers: { 'if-match': '*' } })
  const batch = { token, json: { operations: [{ op: 'create', title: 'x' }] }, headers: { 'idempotency-key': 'batch' } }
  await skep.call('POST', '/items/batch', batch)
  await compare(skep, 'batchItems', 200, '/items/batch', batch)
  await compare(skep, 'listItems', 200, '/items/', { token })
  await compare(skep, 'listItems', 401, '/items/', { token: 'eyJ' })
})

test('so do uploads, content, ranges and links', async () => {
  const skep = await startSkep(LIMITS, { mailer: createMailbox() })
  const { token } = await skep.member()
  const headers = { 'content-type': MULTIPART, 'idempotency-key': 'once' }
  const body = multipart(part('name="file"; filename="a.png"', PNG))
  const { body: file } = await upload(skep.call, { token, filename: 'a.png', headers })
  await compare(skep, 'uploadFile', 201, '/files/', { token, body, headers })
  const content = `/files/${file.id}/content`
  const etag = `"${file.sha256}"`
  const range = 'bytes=0-1'
  await compare(skep, 'getFileContent', 200, content, { token })
  await compare(skep, 'getFileContent', 206, content, { token, headers: { range, 'if-range': etag } })
  await compare(skep, 'getFileContent', 304, content, { token, headers: { 'if-none-match': etag } })
  await compare(skep, 'getFileContent', 416, content, { token, headers: { range: 'bytes=999-' } })
  await compare(skep, 'headFileContent', 200, content, { token })
  await compare(skep, 'headFileContent', 304, content, { token, headers: { 'if-none-match': etag } })
  const link = { token, json: { expires_in: 60 }, headers: { 'idempotency-key': 'link' } }
  await skep.call('POST', `/files/${file.id}/links`, link)
  await compare(skep, 'createFileLink', 201, `/files/${file.id}/links`, link)
})

test('so does a change of the password that asks for new tokens', async () => {
  const skep = await startSkep(LIMITS, { mailer: createMailbox() })
  const { token } = await skep.member()
  const json = { current_password: 'correct horse', new_password: 'another correct horse' }
  const headers = { prefer: 'return=representation' }
  await compare(skep, 'changePassword', 200, '/users/me/password', { token, json, headers })
})

test('a refused body is answered with headers of the document', async () => {
  const skep = await startSkep(LIMITS, { mailer: createMailbox() })
  const { token } = await skep.member()
  for (const path of ['/items/', '/files/', '/auth/token']) {
    const headers = { 'content-type': 'text/plain', 'content-encoding': 'gzip' }
    const { status, headers: sent } = await skep.call('POST', path, { token, body: 'x', headers })
    const each = operations.find(({ method, path: own }) => method === 'POST' && own === `/api/v1${path}`)
    const documented = each === undefined ? [] : sentBy(each, status)
    expect(documented).toEqual(expect.arrayContaining(['accept', 'accept-encoding']))
    for (const name of documented) expect([path, name, sent.has(name)]).toEqual([path, name, true])
  }
})

test('the document describes X-Request-Id once, for every request', async () => {
  const description = textAt(nodeAt(document, 'info'), 'description') ?? ''
  expect(description).toContain('`X-Request-Id` from the request')
  const pattern = textAt(
    nodeAt(nodeAt(nodeAt(nodeAt(document, 'components'), 'headers'), 'X-Request-Id'), 'schema'),
    'pattern',
  )
  const skep = await startSkep()
  for (const [id, isUsed] of [
    ['my-id.1', true],
    ['x'.repeat(65), false],
    ['a b', false],
  ] as const) {
    const { headers } = await skep.call('GET', '//health', { headers: { 'x-request-id': id } })
    expect([id, headers.get('x-request-id') === id, new RegExp(pattern ?? '').test(id)]).toEqual([id, isUsed, isUsed])
  }
})

/** What any request may carry, whatever its route; what it says of the connection; or what OpenAPI has other words for. */
const OF_ANY_REQUEST = [
  ...['accept', 'accept-encoding', 'authorization', 'content-encoding', 'content-length', 'content-type', 'expect'],
  ...['host', 'origin', 'access-control-request-method', 'transfer-encoding', 'user-agent', 'x-forwarded-for'],
  'x-request-id',
]

test('every header that the program reads is a parameter of an operation, or common to all requests', () => {
  const root = join(import.meta.dir, '../../../src/adapters/http')
  const read = [...new Glob('**/*.ts').scanSync(root)].flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/headers\s*\.(?:get|has)\('([\w-]+)'\)/g)].map(
      ([, name = '']) => name,
    ),
  )
  const parameters = operations.flatMap(readBy)
  expect(new Set(parameters)).toEqual(
    new Set(['if-match', 'if-none-match', 'if-range', 'range', 'idempotency-key', 'prefer']),
  )
  for (const name of read) {
    if (name === 'x-content-type-options') continue
    expect([...OF_ANY_REQUEST, ...parameters]).toContain(name)
  }
})

test('every response in the document names headers that have a description and an example', () => {
  for (const each of operations) {
    for (const status of Object.keys(nodeAt(each.node, 'responses'))) {
      for (const header of Object.values(nodeAt(responseOf(each, status), 'headers'))) {
        const node = resolved(header)
        expect(textAt(node, 'description')).toBeString()
        expect(listAt(nodeAt(node, 'schema'), 'examples')).not.toBeEmpty()
      }
    }
  }
})

test('a header parameter is optional and described', () => {
  const parameters = operations.flatMap(({ node }) => listAt(node, 'parameters').map(resolved))
  for (const parameter of parameters.filter(isNode)) {
    if (parameter.in !== 'header') continue
    expect(parameter.required).toBe(false)
    expect(textAt(parameter, 'description')).toBeString()
  }
})
