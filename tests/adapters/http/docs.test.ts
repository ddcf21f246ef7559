import { expect, test } from 'bun:test'
import { join } from 'node:path'
import pkg from '../../../package.json' with { type: 'json' }
import { createEventLoopSlices } from '../../../src/adapters/bun/event-loop-slices.ts'
import { type ApiDeps, createApi, describeApi } from '../../../src/adapters/http/api.ts'
import { isNode, listAt, nodeAt, textAt } from '../../../src/adapters/http/docs/node.ts'
import { unusable } from '../../../src/adapters/http/docs/unusable.ts'
import { COLLECTIONS } from '../../../src/domain/collections/index.ts'
import type { Call, Fields } from '../../support/call.ts'
import { document, nodesIn, type Operation, operations, responseOf } from '../../support/openapi.ts'
import { startSkep } from '../../support/skep.ts'

const statusesOf = ({ node }: Operation) => Object.keys(nodeAt(node, 'responses'))

/** The operation that a request goes to; a path without parameters wins. */
const operationAt = (method: string, path: string): Operation => {
  const fits = (pattern: string) => new RegExp(`^${pattern.replace(/\{\w+\}/g, '[^/]+').replace(/\/$/, '')}/?$`)
  const candidates = operations.filter((operation) => operation.method === method && fits(operation.path).test(path))
  const [found] = candidates.toSorted((a, b) => a.path.split('{').length - b.path.split('{').length)
  if (found === undefined) throw new Error(`${method} ${path} is not in the document`)
  return found
}

test('the server serves what the command writes', async () => {
  const main = join(import.meta.dir, '../../../src/main.ts')
  const skep = await startSkep()
  const served = await skep.call('GET', '//openapi.json')
  expect(served.status).toBe(200)
  expect(served.headers.get('content-type')).toBe('application/json')
  const printed = Bun.spawnSync([process.execPath, main, 'openapi']).stdout.toString()
  expect(JSON.parse(printed)).toEqual(served.body)
  expect(printed).toEndWith('}\n')
})

test('every route of the program appears, and nothing else', () => {
  const options = {
    rateLimit: 'off',
    rateLimitAuth: 'off',
    trustProxy: 0,
    maxBodyBytes: 1,
    allowedHosts: '*',
    corsOrigins: [],
    appName: 'Skep',
    appUrl: undefined,
    userLookup: 'exact',
    docs: 'public',
    idleTimeoutSeconds: 1,
  } as const
  const api = createApi(unusable<ApiDeps>(), { ...options, https: false, basePath: '', version: pkg.version })
  const routes = api.routes
    .filter(({ hooks }) => hooks.detail?.hide !== true)
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  // One route for all collections is described once for each.
  const transfers = COLLECTIONS.flatMap(({ name }) => [
    `GET /api/v1/collections/${name}/records/export`,
    `POST /api/v1/collections/${name}/records/import`,
  ])
  expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([...routes, ...transfers].sort())
})

test('every operation has a unique name, a summary and tags with descriptions', () => {
  const names = operations.map(({ node }) => textAt(node, 'operationId'))
  expect(names).not.toContain(undefined)
  expect(new Set(names).size).toBe(names.length)
  const tags = listAt(document, 'tags').map((tag) => (isNode(tag) ? tag.name : undefined))
  for (const { node } of operations) {
    expect(textAt(node, 'summary')).toBeString()
    expect(node.tags).toBeArrayOfSize(1)
    expect(tags).toContain(listAt(node, 'tags')[0])
  }
})

test('the document does not contain internal keywords', () => {
  for (const [pointer, node] of nodesIn(document)) {
    if (/\/(properties|headers)$|\/examples?(\/|$)/.test(pointer)) continue
    const own = Object.keys(node).filter((key) => ['expects', 'error', '$id', 'nullable', 'x-admit'].includes(key))
    expect({ pointer, own }).toEqual({ pointer, own: [] })
    expect({ pointer, type: node.type }).not.toEqual({
      pointer,
      type: expect.stringMatching(/^(Date|void|undefined)$/),
    })
    if (pointer !== '') expect({ pointer, openapi: 'openapi' in node }).toEqual({ pointer, openapi: false })
  }
})

test('requests do not change the document', async () => {
  const skep = await startSkep()
  const { token } = await skep.member()
  await skep.call('GET', '/users/', { token })
  await skep.call('GET', '/users/me', { token })
  expect(await describeApi(pkg.version)).toEqual(document)
})

test('the document is the same if its paths are described in many turns of the event loop', async () => {
  const slices = createEventLoopSlices()
  let turns = 0
  const next = () => {
    turns++
    return slices.next()
  }
  expect(await describeApi(pkg.version, '', { isOver: () => true, next })).toEqual(document)
  expect(turns).toBeGreaterThan(20)
})

test('every reference resolves', () => {
  for (const [pointer, { $ref }] of nodesIn(document)) {
    if (typeof $ref !== 'string') continue
    const target = $ref.slice(2).split('/').reduce(nodeAt, document)
    expect({ pointer, found: Object.keys(target).length > 0 }).toEqual({ pointer, found: true })
  }
})

test('refusals are problems, success has a schema, and 204 has no content', () => {
  for (const operation of operations) {
    for (const status of statusesOf(operation)) {
      const answer = responseOf(operation, status)
      expect(textAt(answer, 'description')).toBeString()
      expect(nodeAt(answer, 'headers')).toContainKey('X-Request-Id')
      const content = nodeAt(answer, 'content')
      if (status === '204') expect(answer).not.toContainKey('content')
      if (!(Number(status) >= 400) || 'application/json' in content) continue
      expect(content).toEqual({
        'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' }, example: expect.any(Object) },
      })
    }
  }
})

test('every operation declares the responses that follow from its access, limits and body', () => {
  for (const operation of operations) {
    const { path, node } = operation
    const isPublic = listAt(node, 'security').length === 0
    const limited = 'RateLimit-Limit' in nodeAt(responseOf(operation, 500), 'headers')
    expect({ path, limited }).toEqual({ path, limited: !path.startsWith('/health') })
    const expected = [
      '500',
      ...(isPublic ? [] : ['400', '401']),
      ...(limited ? ['429', '503'] : []),
      ...('requestBody' in node ? ['400', '413', '415'] : []),
      ...('parameters' in node ? ['422'] : []),
    ]
    expect(statusesOf(operation)).toContainValues(expected)
    expect({ path, unread: 'requestBody' in node || !statusesOf(operation).includes('415') }).toEqual({
      path,
      unread: true,
    })
  }
})

test('signing in is public and takes a form; everything else takes JSON', () => {
  const contentOf = (name: string) => {
    const operation = operations.find(({ node }) => node.operationId === name)
    return Object.keys(nodeAt(nodeAt(operation?.node ?? {}, 'requestBody'), 'content'))
  }
  expect(contentOf('createToken')).toEqual(['application/x-www-form-urlencoded'])
  expect(contentOf('registerUser')).toEqual(['application/json'])
  expect(operationAt('POST', '/api/v1/auth/token').node.security).toEqual([])
  expect(operationAt('POST', '/api/v1/users/').node.security).toEqual([{}, { password: [] }, { bearer: [] }])
  expect(operationAt('GET', '/api/v1/users/me').node.security).toEqual([{ password: [] }, { bearer: [] }])
})

test('the metrics also accept a separate token', () => {
  const { node } = operationAt('GET', '/metrics')
  expect(node.security).toEqual([{ password: [] }, { bearer: [] }, { metricsToken: [] }])
  // A copy, because the matchers replace what they match, and other files use the document too.
  const content = structuredClone(nodeAt(nodeAt(nodeAt(node, 'responses'), '200'), 'content'))
  expect(content).toMatchObject({
    'text/plain': { schema: { type: 'string', description: expect.any(String) }, example: expect.any(String) },
  })
})

test('every response of the server is declared', async () => {
  const skep = await startSkep({ MAX_BODY_SIZE: '1kb' })
  const { token, id, email } = await skep.member()
  const large = { name: 'x'.repeat(2_000) }
  const calls: readonly (readonly [number, string, string, Call])[] = [
    [201, 'POST', '/users/', { json: { email: 'new@example.com', name: 'New', password: 'correct horse' } }],
    [400, 'POST', '/users/', { json: { email, name: 'New', password: 'correct horse' } }],
    [401, 'POST', '/users/', { token: 'nonsense', json: {} }],
    [413, 'POST', '/users/', { json: large }],
    [415, 'POST', '/users/', { form: { email } }],
    [422, 'POST', '/users/', { json: {} }],
    [200, 'GET', '/users/me', { token }],
    [401, 'GET', '/users/me', {}],
    [403, 'GET', '/users/', { token }],
    [401, 'GET', '/users/', {}],
    [404, 'GET', '/users/999999', { token }],
    [422, 'GET', '/users/abc', { token }],
    [200, 'PATCH', '/users/me', { token, json: { name: 'Bo' } }],
    [403, 'PATCH', `/users/${id}`, { token, json: { role: 'admin' } }],
    [400, 'POST', '/users/me/password', { token, json: { current_password: 'wrong', new_password: 'correct horse' } }],
    [400, 'POST', '/auth/token', { form: { username: email, password: 'wrong' } }],
    [400, 'POST', '/auth/token', { body: new Uint8Array([255]), headers: FORM }],
    [415, 'POST', '/auth/token', { json: {} }],
    [204, 'DELETE', '/users/me', { token, json: { current_password: 'correct horse' } }],
    [200, 'GET', '//health', {}],
    [200, 'GET', '//health/ready', {}],
  ]
  for (const [status, method, path, options] of calls) {
    const answer = await skep.call<Fields | string>(method, path, options)
    const operation = operationAt(method, path.startsWith('//') ? path.slice(1) : `/api/v1${path}`)
    const response = responseOf(operation, answer.status)
    expect({ method, path, status: answer.status }).toEqual({ method, path, status })
    expect(textAt(response, 'description')).toBeString()
    const type = answer.headers.get('content-type')
    if (status !== 204) expect(Object.keys(nodeAt(response, 'content'))).toContain(type?.split(';')[0] ?? '')
    for (const name of ['Location', 'WWW-Authenticate']) {
      expect({ path, name, sent: answer.headers.has(name) }).toEqual({
        path,
        name,
        sent: name in nodeAt(response, 'headers'),
      })
    }
  }
})

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

test.each(['//docs', '//redoc', '//docs/', '//docs/swagger-ui.js', '//redoc/redoc.js', '//openapi.json'])(
  '%s is served to anyone, without limit, and only once',
  async (path) => {
    const skep = await startSkep({ RATE_LIMIT: '1/1m' })
    const first = await skep.call<string>('GET', path)
    expect(first.status).toBe(200)
    expect(first.headers.has('ratelimit-limit')).toBe(false)
    const etag = first.headers.get('etag') ?? ''
    const again = await skep.call<string>('GET', path, { headers: { 'if-none-match': etag } })
    expect(again.status).toBe(304)
    expect(again.headers.get('etag')).toBe(etag)
    const route = path.slice(1).replace(/\/$/, '')
    const logged = skep.log.entries.filter(({ message }) => message === 'request')
    expect(logged.map(({ fields }) => fields.route)).toEqual([route, route])
  },
)

test('pages run only the server’s own script files', async () => {
  const skep = await startSkep()
  for (const path of ['//docs', '//redoc']) {
    const { headers, body } = await skep.call<string>('GET', path)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self';")
    for (const [, attributes, inline] of body.matchAll(/<script([^>]*)>([^<]*)<\/script>/g)) {
      expect(attributes).toMatch(/^ src="\/[\w./-]+"$/)
      expect(inline).toBe('')
    }
  }
})
