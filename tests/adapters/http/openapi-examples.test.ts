import { expect, test } from 'bun:test'
import { problemExample } from '../../../src/adapters/http/docs/examples.ts'
import { isNode, listAt, type Node, nodeAt, textAt } from '../../../src/adapters/http/docs/node.ts'
import type { Call, Fields } from '../../support/call.ts'
import { createMailbox } from '../../support/mail.ts'
import { document, operations, resolved, responseOf } from '../../support/openapi.ts'
import { startSkep } from '../../support/skep.ts'
import { upload } from '../../support/uploads.ts'

const schemas = Object.entries(nodeAt(nodeAt(document, 'components'), 'schemas'))

/** Whether an example of this schema stands in it, or is put together from those of its parts. */
const hasExample = (node: unknown): boolean => {
  const schema = resolved(node)
  if (listAt(schema, 'examples').length > 0) return true
  if ('items' in schema) return hasExample(schema.items)
  if ('oneOf' in schema) return listAt(schema, 'oneOf').some(hasExample)
  // A file cannot be written down.
  return 'properties' in schema || schema.format === 'binary'
}

test('every operation has a summary and a description that differ', () => {
  for (const { id, node } of operations) {
    const [summary = '', description = ''] = [textAt(node, 'summary'), textAt(node, 'description')]
    expect({ id, summary: summary !== '', description: description.length > 20 }).toEqual({
      id,
      summary: true,
      description: true,
    })
    expect(description).not.toBe(summary)
  }
})

test('every property of every schema has an example', () => {
  for (const [name, schema] of schemas) {
    for (const [property, node] of Object.entries(nodeAt(resolved(schema), 'properties'))) {
      expect({ name, property, hasExample: hasExample(node) }).toEqual({ name, property, hasExample: true })
    }
  }
})

test('every parameter is described or explained by its values, and has an example', () => {
  for (const { id, node } of operations) {
    for (const parameter of listAt(node, 'parameters').map(resolved)) {
      const { name } = parameter
      expect({ id, name, hasExample: hasExample(parameter.schema) }).toEqual({ id, name, hasExample: true })
    }
  }
})

test('only required parameters are filled in on /docs, because made-up cursors and ETags would fail', () => {
  for (const { id, node } of operations) {
    for (const { name, required, example } of listAt(node, 'parameters').map(resolved)) {
      expect({ id, name, filledIn: example !== undefined }).toEqual({ id, name, filledIn: required === true })
    }
  }
})

const mediaOf = (content: Node) => Object.entries(content).map(([type, media]) => [type, resolved(media)] as const)

test('every body and every response with content has an example, except files', () => {
  for (const operation of operations) {
    const { id, node } = operation
    const answers = Object.keys(nodeAt(node, 'responses')).map((status) => responseOf(operation, status))
    for (const part of [nodeAt(node, 'requestBody'), ...answers]) {
      for (const [type, media] of mediaOf(nodeAt(part, 'content'))) {
        const isFile = type === 'multipart/form-data' || nodeAt(media, 'schema').format === 'binary'
        expect({ id, type, example: 'example' in media || isFile }).toEqual({ id, type, example: true })
      }
    }
  }
})

const bodyOf = (id: string): Fields => {
  const operation = operations.find((each) => each.id === id)
  const [[, media] = ['', {}]] = mediaOf(nodeAt(nodeAt(operation?.node ?? {}, 'requestBody'), 'content'))
  const { example } = media
  return isNode(example) ? example : {}
}

test('the values filled in on /docs work, from registration to deletion', async () => {
  const skep = await startSkep({}, { mailer: createMailbox() })
  expect((await skep.call('POST', '/users/', { json: bodyOf('registerUser') })).status).toBe(201)
  const form = Object.fromEntries(Object.entries(bodyOf('createToken')).map(([name, value]) => [name, String(value)]))
  const signedIn = await skep.call<{ access_token: string }>('POST', '/auth/token', { form })
  expect(signedIn.status).toBe(200)
  const token = signedIn.body.access_token
  const send = async (method: string, path: string, id: string) =>
    (await skep.call(method, path, { token, json: bodyOf(id) })).status
  expect(await send('POST', '/items/', 'createItem')).toBe(201)
  expect(await send('PATCH', '/items/1', 'updateItem')).toBe(200)
  expect(await send('POST', '/items/batch', 'batchItems')).toBe(200)
  expect((await upload(skep.call, { token })).status).toBe(201)
  expect(await send('POST', '/files/1/links', 'createFileLink')).toBe(201)
  expect(await send('PATCH', '/users/me', 'updateMe')).toBe(200)
  expect(await send('POST', '/auth/password/forgot', 'forgotPassword')).toBe(202)
  expect(await send('DELETE', '/users/me', 'deleteMe')).toBe(204)
})

test('an example of a problem has a code of its status', () => {
  for (const operation of operations) {
    for (const status of Object.keys(nodeAt(operation.node, 'responses'))) {
      const media = nodeAt(nodeAt(responseOf(operation, status), 'content'), 'application/problem+json')
      if (!('schema' in media)) continue
      const { code, status: given } = nodeAt(media, 'example')
      expect({ status: String(given), code }).toEqual({ status, code: expect.any(String) })
      const known = listAt(resolved({ $ref: '#/components/schemas/ProblemCode' }), 'enum')
      expect(known).toContain(code)
    }
  }
})

test('an example problem is one that the server sends', async () => {
  const skep = await startSkep({ ALLOWED_HOSTS: '127.0.0.1' })
  const { token } = await skep.member()
  const { id } = (await skep.call('POST', '/items/', { token, json: { title: 'Oak' } })).body
  const headers = { 'content-type': 'application/json' }
  const calls: readonly (readonly [number, string, string, Call])[] = [
    [400, 'POST', '/items/', { token, body: '{', headers }],
    [401, 'GET', '/users/me', { token: 'none' }],
    [403, 'GET', '/admin/jobs', { token }],
    [404, 'GET', '/files/999', { token }],
    [405, 'POST', '//openapi.json', {}],
    [412, 'PATCH', `/items/${id}`, { token, json: {}, headers: { 'if-match': '"9"' } }],
    [413, 'POST', '/items/', { token, json: 'x'.repeat(1_048_576) }],
    [415, 'POST', '/items/', { token, body: 'title=Oak' }],
    [421, 'GET', '/items/', { token, headers: { host: 'example.com' } }],
    [422, 'GET', '/items/?size=0', { token }],
    [426, 'GET', '//ws/laptop', {}],
  ]
  for (const [status, method, path, options] of calls) {
    const { body } = await skep.call(method, path, options)
    expect({ ...body, request_id: '' }).toEqual({ ...problemExample(String(status)), request_id: '' })
  }
  const form = { username: 'nobody@example.com', password: 'wrong' }
  const { body } = await skep.call('POST', '/auth/token', { form })
  const operation = operations.find(({ id }) => id === 'createToken')
  if (operation === undefined) throw new Error('createToken is not in the document')
  const [[, media] = ['', {}]] = mediaOf(nodeAt(responseOf(operation, 400), 'content'))
  expect({ ...body, request_id: '' }).toEqual({ ...nodeAt(media, 'example'), request_id: '' })
})
