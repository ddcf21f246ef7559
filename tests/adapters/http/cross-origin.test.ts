import { describe, expect, test } from 'bun:test'
import { listAt, nodeAt, textAt } from '../../../src/adapters/http/docs/node.ts'
import { document, type Operation, operations, resolved } from '../../support/openapi.ts'
import { startSkep } from '../../support/skep.ts'

const preflight = (origin: string) => ({
  origin,
  'access-control-request-method': 'PATCH',
  'access-control-request-headers': 'authorization',
})

const headerParameters = ({ node }: Operation): readonly string[] =>
  listAt(node, 'parameters')
    .map(resolved)
    .flatMap((parameter) => (parameter.in === 'header' ? [textAt(parameter, 'name') ?? ''] : []))

const corsHeaders = (headers: Headers) => [...headers.keys()].filter((name) => name.startsWith('access-control-'))

describe('with configured origins', async () => {
  const skep = await startSkep({ CORS_ORIGINS: 'https://app.example.com,http://localhost:5173,capacitor://localhost' })

  test('a configured origin may read responses, including errors', async () => {
    for (const path of ['//health', '/users/me', '/nothing']) {
      const { headers } = await skep.call('GET', path, { headers: { origin: 'https://app.example.com' } })
      expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com')
      expect(headers.get('access-control-expose-headers')).toContain('X-Request-Id')
      expect(headers.get('vary')).toBe('Origin')
    }
  })

  test('any other origin gets no CORS header, but the answer varies by Origin', async () => {
    const near = ['https://app.example.com.evil.example', 'app.example.com', 'localhost:5173', 'capacitor://localhost/']
    for (const origin of ['https://evil.example', ...near, 'null', 'constructor', '__proto__']) {
      const { headers } = await skep.call('GET', '//health', { headers: { origin } })
      expect([corsHeaders(headers), headers.get('vary')]).toEqual([[], 'Origin'])
    }
    const { headers } = await skep.call('GET', '//health')
    expect([corsHeaders(headers), headers.get('vary')]).toEqual([[], 'Origin'])
  })

  test('a preflight of a configured origin needs no authentication', async () => {
    const { status, headers } = await skep.call('OPTIONS', '/users/me', { headers: preflight('http://localhost:5173') })
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe('http://localhost:5173')
    expect(headers.get('access-control-allow-methods')).toContain('PATCH')
    expect(headers.get('access-control-allow-headers')).toContain('Authorization')
    expect(headers.get('access-control-max-age')).toBe('600')
    expect(headers.get('x-request-id')).not.toBeNull()
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('a preflight allows every method that an operation has', async () => {
    const { headers } = await skep.call('OPTIONS', '/users/me', { headers: preflight('http://localhost:5173') })
    const allowed = headers.get('access-control-allow-methods')?.split(/,\s*/) ?? []
    const needed = new Set(operations.map(({ method }) => method))
    expect([...needed].filter((method) => !allowed.includes(method))).toEqual([])
  })

  test('an app with a custom scheme may read responses', async () => {
    const { headers } = await skep.call('GET', '//health', { headers: { origin: 'capacitor://localhost' } })
    expect(headers.get('access-control-allow-origin')).toBe('capacitor://localhost')
  })

  test.each([...Object.keys(nodeAt(nodeAt(document, 'components'), 'headers')), 'Allow', 'Content-Length'])(
    'a page may read %s',
    async (name) => {
      const { headers } = await skep.call('GET', '//health', { headers: { origin: 'http://localhost:5173' } })
      expect(headers.get('access-control-expose-headers')?.split(', ')).toContain(name)
    },
  )

  test.each(['Authorization', 'Content-Type', 'X-Request-Id', ...new Set(operations.flatMap(headerParameters))])(
    'a page may send %s',
    async (name) => {
      const { headers } = await skep.call('OPTIONS', '/items/', { headers: preflight('http://localhost:5173') })
      expect(headers.get('access-control-allow-headers')?.split(', ')).toContain(name)
    },
  )

  test.each([
    ['PATCH', '/items/17', '/api/v1/items/:id'],
    ['GET', '/users/me', '/api/v1/users/me'],
    ['POST', '/items', '/api/v1/items/'],
    ['PUT', '/users/17', '/api/v1/users/:id'],
    ['GET', '/files/3/content?link=1', '/api/v1/files/:id/content'],
    ['GET', '/nothing/here', '(none)'],
  ])('a preflight for %s of %s is logged with the route %s', async (method, path, route) => {
    const origin = 'https://app.example.com'
    const id = crypto.randomUUID()
    const headers = { origin, 'access-control-request-method': method, 'x-request-id': id }
    await skep.call('OPTIONS', path, { headers })
    const [entry] = skep.log.entries.filter(({ fields }) => fields.request_id === id)
    expect(entry?.fields).toMatchObject({ method: 'OPTIONS', route, status: 204 })
  })

  test('a preflight of another origin gets no CORS header', async () => {
    const { headers } = await skep.call('OPTIONS', '/users/me', { headers: preflight('https://evil.example') })
    expect(corsHeaders(headers)).toEqual([])
  })
})

test('* lets everyone read, never with credentials', async () => {
  const skep = await startSkep({ CORS_ORIGINS: '*' })
  const { headers } = await skep.call('GET', '//health', { headers: { origin: 'https://any.example' } })
  expect(headers.get('access-control-allow-origin')).toBe('*')
  expect(headers.get('access-control-allow-credentials')).toBeNull()
})

test('without configured origins no CORS header is sent', async () => {
  const skep = await startSkep()
  const { headers } = await skep.call('GET', '//health', { headers: { origin: 'https://any.example' } })
  expect(corsHeaders(headers)).toEqual([])
  expect((await skep.call('OPTIONS', '/users/me', { headers: preflight('https://any.example') })).status).toBe(204)
})

test('OPTIONS and unsupported methods are logged with the route of the path', async () => {
  const skep = await startSkep()
  await skep.call('OPTIONS', '/items/17')
  await skep.call('PUT', '/items/17')
  await skep.call('GET', '/nothing')
  const logged = skep.log.entries.filter(({ message }) => message === 'request').map(({ fields }) => fields.route)
  expect(logged).toEqual(['/api/v1/items/:id', '/api/v1/items/:id', '/*'])
})
