import { describe, expect, test } from 'bun:test'
import { PROBLEM_STATUS, type ProblemCode, toProblem } from '../../../src/adapters/http/problems.ts'
import { pageTooDeep } from '../../../src/domain/page.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep()
const root = await createFirstAdmin(skep)
const ann = await skep.member()

interface Fault {
  readonly in: string
  readonly pointer: string
  readonly detail: string
}

interface Body {
  readonly id: number
  readonly code?: string | undefined
  readonly errors?: readonly Fault[] | undefined
}

const send = (method: string, path: string, json?: unknown, headers: Record<string, string> = {}) =>
  skep.call<Body>(method, path, { token: ann.token, headers, ...(json === undefined ? {} : { json }) })

const detailsOf = ({ errors }: Body) =>
  Object.fromEntries((errors ?? []).map(({ pointer, detail }) => [pointer, detail]))

const { body: item } = await send('POST', '/items/', { title: 'Oak', data: { x: 1 } })

describe('a fault in a nullable field', () => {
  test.each([['x'.repeat(10_001)], [5], ['\0'], ['\ud800'], [['x']], [{}], [false]])(
    'is reported with what is expected of it, or null (case %#)',
    async (description) => {
      const text = expect.stringMatching(/10000 characters.*, or null$/)
      const created = await send('POST', '/items/', { title: 'x', description })
      expect([created.status, detailsOf(created.body)]).toEqual([422, { '/description': text }])
      const changed = await send('PATCH', `/items/${item.id}`, { description, data: 'x' })
      expect([changed.status, detailsOf(changed.body)]).toEqual([
        422,
        { '/description': text, '/data': 'Expected object, or null' },
      ])
    },
  )

  test('does not occur if the field is missing or null', async () => {
    expect((await send('POST', '/items/', { title: 'x', description: null })).status).toBe(201)
    expect((await send('PATCH', `/items/${item.id}`, { description: null })).status).toBe(200)
  })
})

describe('a fault in an operation of a batch', () => {
  const UNKNOWN = expect.stringMatching(/create, update or delete/)
  const LINE = 'Expected 1 to 200 visible characters'

  test.each<[string, unknown, Record<string, unknown>]>([
    ['a wrong field', { op: 'create', title: '' }, { '/title': LINE }],
    ['a missing field', { op: 'create' }, { '/title': LINE }],
    ['no id', { op: 'update', title: 'x' }, { '/id': 'Expected required property' }],
    ['an unknown property', { op: 'update', id: 1, zzz: 1 }, { '/zzz': 'Unexpected property' }],
    ['a property of another operation', { op: 'delete', id: 1, title: 'x' }, { '/title': 'Unexpected property' }],
    [
      'several faults',
      { op: 'update', id: 'x', version: 0, title: '', data: 1, 'a/b': 1 },
      {
        '/a~1b': 'Unexpected property',
        '/id': 'Expected integer',
        '/version': 'Expected integer to be greater or equal to 1',
        '/title': LINE,
        '/data': 'Expected object, or null',
      },
    ],
    ['an unknown op', { op: 'upsert', title: '' }, { '/op': UNKNOWN }],
    ['another type of op', { op: ['create'], title: '' }, { '/op': UNKNOWN }],
    ['no op', { title: '' }, { '/op': UNKNOWN }],
    ['an inherited op', JSON.parse('{"__proto__":{"op":"create"}}'), { '/op': UNKNOWN }],
    ['another type than an object', 'create', { '': UNKNOWN }],
    ['an array', [], { '': UNKNOWN }],
  ])('points to it: %s', async (_, operation, faults) => {
    const valid = { op: 'create', title: 'x' }
    const { status, body } = await send('POST', '/items/batch', { operations: [valid, operation, valid] })
    const at = Object.fromEntries(Object.entries(faults).map(([pointer, text]) => [`/operations/1${pointer}`, text]))
    expect<unknown>([status, detailsOf(body)]).toEqual([422, at])
  })

  test('does not hide those of other operations', async () => {
    const operations = [{ op: 'create', title: '' }, { op: 'create', title: 'x' }, { op: 'delete' }, {}]
    const { body } = await send('POST', '/items/batch', { operations })
    expect(Object.keys(detailsOf(body))).toEqual(['/operations/0/title', '/operations/2/id', '/operations/3/op'])
  })

  test('is listed if it is one of the first twenty', async () => {
    const operations = Array.from({ length: 100 }, () => ({ op: 'update', a: 1, b: 2 }))
    expect((await send('POST', '/items/batch', { operations })).body.errors).toHaveLength(20)
  })
})

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: { readonly $ref?: string } }>> }
}

test('no fault of any body is described as a union', async () => {
  const { body: document } = await skep.call<{
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
    readonly components: { readonly schemas: Readonly<Record<string, { readonly properties?: object }>> }
  }>('GET', '//openapi.json')
  const { body: own } = await skep.call<Body>('GET', '/users/me', { token: root.token })
  let count = 0
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { requestBody }] of Object.entries(operations)) {
      const name = requestBody?.content['application/json']?.schema.$ref?.split('/').at(-1)
      const fields = Object.keys(document.components.schemas[name ?? '']?.properties ?? {})
      if (fields.length === 0) continue
      const id = path.includes('/users/') ? own.id : item.id
      const target = path.replace('/api/v1', '').replace(/\{.*?\}/, String(id))
      for (const wrong of [[[]], {}, true, 0.5, '\0']) {
        const json = Object.fromEntries(fields.map((field) => [field, wrong]))
        const { body } = await skep.call<Body>(method.toUpperCase(), target, { token: root.token, json })
        count += body.errors?.length ?? 0
        for (const { detail } of body.errors ?? [])
          expect([target, detail]).not.toEqual([target, expect.stringMatching(/union/i)])
      }
    }
  }
  expect(count).toBeGreaterThan(50)
})

describe('every 422 lists its faults', () => {
  const keyed = { 'idempotency-key': 'faults' }
  const data = { x: 'x'.repeat(17_000) }
  const password = 'password'
  const largeBatch = async () => {
    const large = { title: 'x', data: { x: 'x'.repeat(16_000) } }
    const { body } = await send('POST', '/items/', large)
    return send('POST', '/items/batch', {
      operations: Array.from({ length: 100 }, (_, n) => ({ op: 'update', id: body.id, title: `${n}` })),
    })
  }
  const mismatch = async (path: string, one: object, other: object) => {
    await send('POST', path, one, keyed)
    return send('POST', path, other, keyed)
  }
  const inexact = () => {
    const headers = { 'content-type': 'application/json' }
    return skep.call<Body>('POST', '/items/', { token: ann.token, body: '{"title":"x","n":1e400}', headers })
  }
  const deep = () => {
    const { status = 0, code, errors } = toProblem(pageTooDeep()) ?? {}
    return Promise.resolve({ status, body: { code, errors } })
  }

  type Refused = () => Promise<{ readonly status: number; readonly body: Omit<Body, 'id'> }>
  const CASES: readonly (readonly [code: ProblemCode, place: string, pointer: string, request: Refused])[] = [
    ['batch_too_large', 'body', '/operations/65', largeBatch],
    ['data_too_large', 'body', '/data', () => send('POST', '/items/', { title: 'x', data })],
    ['data_too_large', 'body', '/data', () => send('PATCH', `/items/${item.id}`, { data })],
    [
      'data_too_large',
      'body',
      '/operations/1/data',
      () =>
        send('POST', '/items/batch', {
          operations: [
            { op: 'delete', id: item.id },
            { op: 'create', title: 'x', data },
          ],
        }),
    ],
    ['idempotency_mismatch', 'header', '/idempotency-key', () => mismatch('/items/', { title: 'x' }, { title: 'y' })],
    [
      'idempotency_mismatch',
      'header',
      '/idempotency-key',
      () => {
        const operations = [{ op: 'create', title: 'x' }]
        return mismatch('/items/batch', { operations }, { operations: [...operations, ...operations] })
      },
    ],
    ['invalid_cursor', 'query', '/cursor', () => send('GET', '/items/?cursor=abc')],
    ['invalid_cursor', 'query', '/cursor', () => send('GET', '/files/?cursor=abc')],
    ['invalid_cursor', 'query', '/cursor', () => send('GET', '/auth/sessions?cursor=abc')],
    ['number_not_exact', 'body', '/n', inexact],
    ['page_too_deep', 'query', '/page', deep],
    ['password_required', 'body', '/current_password', () => send('PATCH', '/users/me', { email: 'new@example.com' })],
    [
      'password_required',
      'body',
      '/current_password',
      () => send('PATCH', `/users/${ann.id}`, { email: 'new@example.com' }),
    ],
    ['password_required', 'body', '/current_password', () => send('DELETE', '/users/me')],
    ['password_required', 'body', '/current_password', () => send('DELETE', `/users/${ann.id}`, {})],
    ['validation_failed', 'body', '/title', () => send('POST', '/items/', {})],
    ['validation_failed', 'query', '/created_after', () => send('GET', '/items/?created_after=x')],
    ['validation_failed', 'path', '/id', () => send('GET', '/items/x')],
    [
      'validation_failed',
      'header',
      '/idempotency-key',
      () => send('POST', '/items/', { title: 'x' }, { 'idempotency-key': 'x'.repeat(256) }),
    ],
    [
      'weak_password',
      'body',
      '/password',
      () => send('POST', '/users/', { email: 'b@example.com', name: 'Bob', password }),
    ],
    [
      'weak_password',
      'body',
      '/new_password',
      () => send('POST', '/users/me/password', { current_password: ann.password, new_password: password }),
    ],
  ]

  test.each(CASES)('%s in %s %s', async (code, place, pointer, request) => {
    const { status, body } = await request()
    expect([status, body.code]).toEqual([422, code])
    expect(body.errors).toEqual([{ in: place, pointer, detail: expect.stringMatching(/./) }])
  })

  test('no code with status 422 is missing above', () => {
    const unprocessable = Object.entries(PROBLEM_STATUS).flatMap(([code, status]) => (status === 422 ? [code] : []))
    expect([...new Set(CASES.map(([code]) => code as string))].sort()).toEqual(unprocessable.sort())
  })
})
