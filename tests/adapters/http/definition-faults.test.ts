import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { NOTES, startNotes } from '../../support/notes.ts'
import { callsOf, type ProblemBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'

const { admin, ann, fresh, read } = await startNotes()

describe('a check of a definition', () => {
  const check = (name: string, json: object, by = admin) =>
    by.call<ProblemBody>('POST', `/collections/${name}/check`, { json })

  test('accepts one that could be stored, and stores nothing', async () => {
    const name = fresh()
    expect((await check(name, NOTES)).status).toBe(204)
    expect((await read(name)).status).toBe(404)
  })

  test('lists its faults, those of rules too', async () => {
    const { status, body } = await check(fresh(), { ...NOTES, rules: { read: 'record.nothing == 1' } })
    expect([status, body.errors]).toMatchObject([422, [{ pointer: '/rules/read' }]])
  })

  test('lists all its faults at once, without those that only follow from others', async () => {
    const { status, body } = await check(fresh(), {
      name: 'others',
      owner: 'both',
      schema: {
        type: 'object',
        properties: {
          size: { type: 'int' },
          list: { type: 'integer', 'x-ref': 'nowhere' },
          next: { type: 'integer', 'x-ref': 'others' },
        },
      },
      rules: {
        read: 'record.size == 1 && record.sizes == 1',
        create: 'record.size.x.exists(y, y > 1)',
        update: 'auth.id ==',
      },
    })
    expect([status, body.errors?.map(({ pointer }) => pointer).sort()]).toEqual([
      422,
      [
        '/name',
        '/owner',
        '/rules/read',
        '/rules/update',
        '/schema/properties/list/x-ref',
        '/schema/properties/next/x-ref',
        '/schema/properties/size/type',
      ],
    ])
  })

  test('says so if it has more faults than are listed', async () => {
    const withFaults = (count: number) => ({
      schema: {
        type: 'object',
        properties: Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, { type: 'int' }])),
      },
    })
    const [all, some] = [await check(fresh(), withFaults(20)), await check(fresh(), withFaults(21))]
    expect([all.body.detail, all.body.errors?.length]).toEqual(['The definition cannot be used', 20])
    expect([some.body.detail, some.body.errors?.length]).toEqual([
      'The definition cannot be used; only the first 20 faults are listed',
      20,
    ])
  })

  test('lists no faults of rules over a schema that cannot be read', async () => {
    const rules = { read: 'record.a == 1', update: 'next.a > now || true' }
    for (const schema of ['x', { type: 'object', properties: [] }, undefined]) {
      const { body } = await check(fresh(), { ...(schema && { schema }), rules })
      expect(body.errors?.filter(({ pointer }) => pointer.startsWith('/rules'))).toEqual([])
    }
  })

  test('is refused for a collection that is built in, and for users', async () => {
    expect((await check('items', NOTES)).status).toBe(409)
    expect((await check(fresh(), NOTES, ann)).status).toBe(403)
  })
})

describe('a definition', () => {
  test('lists every fault with its pointer', async () => {
    const faulty = {
      schema: { type: 'object', properties: { a: { type: 'strang' }, b: { type: 'string', oneOf: [] } } },
      indexes: [{ fields: ['missing'] }],
      search: ['missing'],
      rules: { read: 'record.nothing ==' },
      owner: 'sell',
      more: true,
    }
    const { status, body } = await admin.define<ProblemBody>(fresh(), faulty)
    expect([status, body.code]).toEqual([422, 'validation_failed'])
    const pointers = body.errors?.map(({ pointer }) => pointer)
    expect(pointers).toContainValues(['/more', '/owner', '/search/0', '/schema/properties/b/oneOf'])
    expect(body.errors?.every(({ in: part, detail }) => part === 'body' && detail !== '')).toBe(true)
  })

  test.each(['Tasks', '1st', 'a-b', 'users', 'files', 'x'.repeat(64)])('cannot be named %s', async (name) => {
    const { status, body } = await admin.define<ProblemBody>(name, NOTES)
    expect([status, body.code]).toEqual([422, 'validation_failed'])
  })

  test.each([[[]], ['text'], [null], [7]])('is an object, not %p', async (json) => {
    expect((await admin.call('PUT', `/collections/${fresh()}`, { json })).status).toBe(422)
  })

  test.each([{ a: 1 }, 'x', null])('has a transform that is a list of operations, not %p', async (transform) => {
    const { status, body } = await admin.define<ProblemBody>(fresh(), { ...NOTES, transform })
    expect([status, body.errors?.[0]?.pointer]).toEqual([422, '/transform'])
  })

  test('has the faults of its transform listed with its own, whether it is stored or only checked', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const faulty = {
      ...NOTES,
      owner: 'both',
      transform: [
        { op: 'remove', path: '/text' },
        { op: 'rename', path: 'text' },
      ],
    }
    for (const path of [`/collections/${name}`, `/collections/${name}/check`]) {
      const method = path.endsWith('check') ? 'POST' : 'PUT'
      const { status, body } = await admin.call<ProblemBody>(method, path, { json: faulty })
      expect([status, body.errors?.map(({ pointer }) => pointer).sort()]).toEqual([
        422,
        ['/owner', '/transform/1/op', '/transform/1/path'],
      ])
    }
    expect((await read(name)).body).toMatchObject({ version: 1 })
  })

  test.each([
    ['PUT', ''],
    ['POST', '/check'],
  ])('is refused by %s if an object in it has two members of the same name', async (method, path) => {
    const name = fresh()
    const { schema } = NOTES
    const rules = '{"read":"true","\\u0072ead":null}'
    const { status, body } = await admin.call<ProblemBody>(method, `/collections/${name}${path}`, {
      body: `{"schema":${JSON.stringify(schema)},"rules":${rules},"owner":"keep","owner":"delete"}`,
      headers: { 'content-type': 'application/json' },
    })
    const detail = 'Another member of this object has the same name'
    expect([status, body.code, body.errors]).toEqual([
      422,
      'validation_failed',
      ['/rules/read', '/owner'].map((pointer) => ({ in: 'body', pointer, detail })),
    ])
    expect((await read(name)).status).toBe(404)
  })

  test('may have a schema of 64 kB, also if other bodies are smaller, and no more than 256 kB', async () => {
    const small = await startSkep({ MAX_BODY_SIZE: '16kb' }, { mailer: createMailbox() })
    const root = callsOf(small, await createFirstAdmin(small))
    const properties = Object.fromEntries(
      Array.from({ length: 60 }, (_, n) => [`f${n}`, { type: 'string', description: 'x'.repeat(900) }]),
    )
    expect((await root.define('larges', { schema: { type: 'object', properties } })).status).toBe(201)
    const huge = { schema: { type: 'object', description: 'x'.repeat(300_000) } }
    expect((await root.define('huges', huge)).status).toBe(413)
  })
})
