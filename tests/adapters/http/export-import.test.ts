import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf, type RecordBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d', MAX_BODY_SIZE: '16kb' }, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)
const admin = callsOf(skep, root)
const ann = callsOf(skep, await skep.member())

const NOTES = {
  schema: {
    type: 'object',
    required: ['text'],
    properties: { text: { type: 'string', maxLength: 2_000 }, size: { type: 'number' } },
  },
  indexes: [],
}

let count = 0
const fresh = async () => {
  const name = `exports_${++count}s`
  await admin.define(name, NOTES)
  return name
}

interface ImportBody {
  readonly created: number
  readonly refused: number
  readonly lines: readonly {
    readonly line: number
    readonly code: string
    readonly detail: string
    readonly errors: readonly { readonly pointer: string }[]
  }[]
}

const NDJSON = { 'content-type': 'application/x-ndjson' }

const importing = (name: string, body: string | Uint8Array<ArrayBuffer> | ReadableStream, query = '') =>
  admin.call<ImportBody>('POST', `/collections/${name}/records/import${query}`, { body, headers: NDJSON })

const exported = (name: string) => admin.call<string>('GET', `/collections/${name}/records/export`)

const linesOf = ({ body }: { body: string }): RecordBody[] =>
  String(body)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

/** A body that arrives in these pieces. */
const inPieces = (pieces: readonly Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    async start(controller) {
      for (const piece of pieces) {
        controller.enqueue(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
      controller.close()
    },
  })

describe('an import', () => {
  test('creates one record from each line; the last may lack its end, and empty lines do not count', async () => {
    const name = await fresh()
    const { status, body } = await importing(name, '{"text":"a"}\r\n\n{"text":"b","size":0.1}\n{"text":"c"}')
    expect([status, body]).toEqual([200, { created: 3, refused: 0, lines: [] }])
    expect((await admin.list(name, { sort: 'id' })).body.items).toMatchObject([
      { text: 'a', owner_id: root.id, version: 1 },
      { text: 'b', size: 0.1 },
      { text: 'c' },
    ])
  })

  test('may begin with a byte order mark', async () => {
    const name = await fresh()
    expect((await importing(name, '\ufeff{"text":"a"}\r\n{"text":"b"}')).body).toMatchObject({ created: 2, refused: 0 })
  })

  test('lists each refused line with its reason, and creates the others', async () => {
    const name = await fresh()
    const { body } = await importing(name, '{"text":"a"}\n{"text":7}\nnonsense\n[]\n{"text":"b"}\n')
    expect(body).toMatchObject({ created: 2, refused: 3 })
    expect(body.lines.map(({ line }) => line)).toEqual([2, 3, 4])
    expect(body.lines[0]).toMatchObject({ code: 'validation_failed', errors: [{ pointer: '/text' }] })
    expect(body.lines.every(({ detail }) => detail.length > 5)).toBe(true)
  })

  test('creates the other lines of a part in their order when some are not unique', async () => {
    const name = await fresh()
    const schema = { type: 'object', properties: { text: { type: 'string', maxLength: 10 } } }
    await admin.define(name, { schema, indexes: [{ fields: ['text'], unique: true }] })
    await admin.create(name, { text: 'd' })
    const texts = ['a', 'b', 'a', 'c', 'd', 'e']
    const { body } = await importing(name, texts.map((text) => `{"text":"${text}"}\n`).join(''))
    expect(body).toMatchObject({ created: 4, refused: 2, lines: [{ line: 3 }, { line: 5 }] })
    expect(body.lines.map(({ code }) => code)).toEqual(['not_unique', 'not_unique'])
    expect((await admin.list(name, { sort: 'id' })).body.items.map(({ text }) => text)).toEqual([...'dabce'])
  })

  test('may reference the record of an earlier line', async () => {
    const name = await fresh()
    const schema = { type: 'object', properties: { parent: { type: ['integer', 'null'], 'x-ref': name } } }
    await admin.define(name, { schema, indexes: [] })
    const { body: root } = await admin.create(name, {})
    const lines = `{"parent":${root.id}}\n{"parent":${root.id + 1}}\n`
    expect((await importing(name, lines)).body).toMatchObject({ created: 2, refused: 0 })
  })

  test('refuses the lines whose references or owners do not exist', async () => {
    const [lists, name] = [await fresh(), await fresh()]
    const schema = { type: 'object', properties: { list: { type: 'integer', 'x-ref': lists } } }
    await admin.define(name, { schema, indexes: [] })
    const { body: list } = await admin.create(lists, { text: 'a' })
    const lines = [{ list: list.id }, { list: 999_999 }, { list: list.id, owner_id: 999_999 }, { list: list.id }]
    const { body } = await importing(name, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    expect(body).toMatchObject({ created: 2, refused: 2 })
    expect(body.lines).toMatchObject([
      { line: 2, errors: [{ pointer: '/list' }] },
      { line: 3, errors: [{ pointer: '/owner_id' }] },
    ])
  })

  test('refuses lines that are too long or not UTF-8, and continues', async () => {
    const name = await fresh()
    const long = `{"text":"${'x'.repeat(20_000)}"}`
    const bytes = Buffer.concat([Buffer.from(`${long}\n{"text":"`), Buffer.of(0xff), Buffer.from('"}\n{"text":"b"}')])
    const { body } = await importing(name, new Uint8Array(bytes))
    expect(body).toMatchObject({ created: 1, refused: 2 })
    expect(body.lines).toMatchObject([
      { line: 1, detail: 'The line is longer than 16384 bytes' },
      { line: 2, detail: 'The line is not UTF-8' },
    ])
  })

  test('refuses numbers that could not be stored as they are', async () => {
    const name = await fresh()
    const { body } = await importing(name, '{"text":"a","size":12345678901234567890}\n{"text":"b","size":1e400}\n')
    expect(body).toMatchObject({ created: 0, refused: 2 })
    for (const line of body.lines)
      expect(line).toMatchObject({ code: 'number_not_exact', errors: [{ pointer: '/size' }] })
  })

  test('reads characters that arrive in several pieces', async () => {
    const name = await fresh()
    const bytes = Buffer.from('{"text":"Grüße 🐝"}\n{"text":"zwei"}')
    const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte))
    expect((await importing(name, inPieces(pieces))).body).toMatchObject({ created: 2, refused: 0 })
    expect((await admin.list(name, { sort: 'id' })).body.items[0]?.text).toBe('Grüße 🐝')
  })

  test('with dry_run stores nothing and has the same result', async () => {
    const name = await fresh()
    const { body } = await importing(name, '{"text":"a"}\n{"text":7}\n', '?dry_run=true')
    expect(body).toMatchObject({ created: 1, refused: 1, lines: [{ line: 2 }] })
    expect((await admin.list(name)).body.total).toBe(0)
    expect((await importing(name, '', '?dry_run=maybe')).status).toBe(422)
  })

  test('with dry_run has the answer of the import, also for references and unique values', async () => {
    const name = await fresh()
    const properties = {
      slug: { type: 'string', maxLength: 10 },
      parent: { type: ['integer', 'null'], 'x-ref': name },
    }
    await admin.define(name, {
      schema: { type: 'object', properties },
      indexes: [{ fields: ['slug'], unique: true }],
    })
    const { body: first } = await admin.create(name, { slug: 'a' })
    const lines = [
      { slug: 'b', parent: first.id },
      { slug: 'c', parent: first.id },
      { slug: 'a', parent: null },
      { slug: 'b', parent: null },
      { slug: 'd', parent: 999_999 },
    ]
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    const checked = await importing(name, body, '?dry_run=true')
    expect(checked.body).toMatchObject({ created: 2, refused: 3 })
    expect((await admin.list(name)).body.total).toBe(1)
    expect((await importing(name, body)).body).toEqual(checked.body)
  })

  test('may be larger than any other body', async () => {
    const name = await fresh()
    const lines = Array.from({ length: 600 }, (_, n) => `{"text":"${n} ${'x'.repeat(1_000)}"}\n`)
    expect((await importing(name, lines.join(''))).body).toMatchObject({ created: 600, refused: 0 })
    expect((await admin.list(name)).body.total).toBe(600)
  })

  test('is for admins, and takes NDJSON', async () => {
    const name = await fresh()
    const path = `/collections/${name}/records/import`
    expect((await ann.call('POST', path, { body: '{"text":"a"}', headers: NDJSON })).status).toBe(403)
    expect((await callsOf(skep).call('POST', path, { body: '{"text":"a"}', headers: NDJSON })).status).toBe(401)
    const refused = await admin.call('POST', path, { json: { text: 'a' } })
    expect([refused.status, refused.headers.get('accept')]).toEqual([415, 'application/x-ndjson'])
    expect((await importing('nothing', '{}')).status).toBe(404)
  })
})

describe('an export', () => {
  test('has all records in the order of their ids, whoever owns them, as REST shows them', async () => {
    const name = await fresh()
    const created: RecordBody[] = []
    for (let n = 0; n < 30; n++) created.push((await (n % 2 ? ann : admin).create(name, { text: `${n}` })).body)
    const answer = await exported(name)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
    expect(linesOf(answer)).toEqual(created)
    expect(String(answer.body)).toEndWith('\n')
  })

  test('of an empty collection is empty', async () => {
    const answer = await exported(await fresh())
    expect([answer.status, String(answer.body)]).toEqual([200, ''])
  })

  test('has more records than fit into one part', async () => {
    const name = await fresh()
    const lines = Array.from({ length: 1_500 }, (_, n) => `{"text":"${n}"}\n`)
    await importing(name, lines.join(''))
    expect(linesOf(await exported(name)).map(({ text }) => text)).toEqual(lines.map((_, n) => String(n)))
  })

  test('of a collection that is defined in code works as well', async () => {
    await ann.call('POST', '/items/', { json: { title: 'Oak table' } })
    expect(linesOf(await exported('items'))).toMatchObject([{ title: 'Oak table' }])
    expect((await importing('items', '{"title":"Ash table"}\n{"title":""}')).body).toMatchObject({
      created: 1,
      refused: 1,
      lines: [{ line: 2 }],
    })
  })

  test('is for admins', async () => {
    const path = `/collections/${await fresh()}/records/export`
    expect((await ann.call('GET', path)).status).toBe(403)
    expect((await callsOf(skep).call('GET', path)).status).toBe(401)
    expect((await exported('nothing')).status).toBe(404)
    expect((await admin.call('HEAD', path)).status).toBe(200)
  })

  test('whose reader disconnects frees its slot', async () => {
    const name = await fresh()
    await importing(name, Array.from({ length: 500 }, () => `{"text":"${'x'.repeat(1_000)}"}\n`).join(''))
    for (let n = 0; n < 10; n++) {
      const leaving = new AbortController()
      const response = await fetch(`${skep.url}/api/v1/collections/${name}/records/export`, {
        headers: { authorization: `Bearer ${root.token}` },
        signal: leaving.signal,
        keepalive: false,
      })
      // 429 until the server has noticed that an earlier reader is gone.
      expect(response.status).toBeOneOf([200, 429])
      leaving.abort()
    }
    let status = 0
    while (status !== 200) status = (await exported(name)).status
  })
})
