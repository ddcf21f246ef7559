import { describe, expect, test } from 'bun:test'
import { NOTES, startNotes } from '../../support/notes.ts'
import type { ProblemBody } from '../../support/shopping.ts'

const { admin, ann, anyone, fresh, read } = await startNotes()

describe('changing a definition', () => {
  test('is refused if records do not fit: with their number, the first of them, and nothing changed', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const texts = [...Array.from({ length: 12 }, () => 'a long text'), 'short']
    for (const text of texts) expect((await ann.create(name, { text })).status).toBe(201)
    const shorter = { schema: { type: 'object', properties: { text: { type: 'string', maxLength: 5 } } } }
    const { status, body } = await admin.define<ProblemBody>(name, shorter)
    expect([status, body.code, body.records?.count]).toEqual([409, 'records_do_not_fit', 12])
    expect(body.records?.first).toHaveLength(10)
    expect(body.records?.first[0]).toEqual({
      id: expect.any(Number),
      errors: [{ pointer: '/text', detail: expect.any(String) }],
    })
    expect((await read(name)).body).toMatchObject({ version: 1, records: 13 })
    expect((await ann.create(name, { text: 'still long enough' })).status).toBe(201)
  })

  test('takes effect on the next request', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const { body } = await ann.create(name, { text: 'mine' })
    expect((await anyone.get(name, body.id)).status).toBeOneOf([401, 404])
    await admin.define(name, { ...NOTES, rules: { read: 'true' } })
    expect((await anyone.get(name, body.id)).status).toBe(200)
  })

  test('with a transform renames a field of every record', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const { body } = await ann.create(name, { text: 'kept' })
    const renamed = {
      schema: { type: 'object', properties: { words: { type: 'string', maxLength: 100 } } },
      transform: [{ op: 'move', from: '/text', path: '/words' }],
    }
    expect((await admin.define(name, renamed)).status).toBe(200)
    const after = (await ann.get(name, body.id)).body
    expect(after.words).toBe('kept')
    expect(after).not.toContainKey('text')
  })

  test('changes the ETag of its records if they are shown differently, and only then', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const { body } = await ann.create(name, { text: 'a' })
    const path = `/collections/${name}/records/${body.id}`
    let etag = (await ann.call('GET', path)).headers.get('etag') ?? ''
    const isKnownAfter = async (definition: object) => {
      expect((await admin.define(name, definition)).status).toBe(200)
      const { status, headers } = await ann.call('GET', path, { headers: { 'if-none-match': etag } })
      etag = headers.get('etag') ?? ''
      return status === 304
    }
    const { text } = NOTES.schema.properties
    const longer = { ...NOTES, schema: { type: 'object', properties: { text, due: { type: ['string', 'null'] } } } }
    expect(await isKnownAfter({ ...NOTES, owner: 'keep' })).toBe(true)
    expect(await isKnownAfter(longer)).toBe(false)
    expect(await isKnownAfter({ ...longer, rules: { read: 'true' } })).toBe(true)
    expect(await isKnownAfter({ ...longer, transform: [{ op: 'add', path: '/text', value: 'b' }] })).toBe(false)
    const patched = await ann.call('PATCH', path, { json: { text: 'c' }, headers: { 'if-match': etag } })
    expect(patched.status).toBe(200)
    expect((await ann.call('PATCH', path, { json: { text: 'd' }, headers: { 'if-match': etag } })).status).toBe(412)
  })

  test('makes earlier ETags of its records fail as If-Match if they are shown differently', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const { body } = await ann.create(name, { text: 'a' })
    const path = `/collections/${name}/records/${body.id}`
    const readEtag = async () => (await ann.call('GET', path)).headers.get('etag') ?? ''
    const transformTo = (value: string) =>
      admin.define(name, { ...NOTES, transform: [{ op: 'add', path: '/text', value }] })
    const first = await readEtag()
    await transformTo('b')
    const second = await readEtag()
    await transformTo('c')
    for (const etag of [first, second]) {
      const headers = { 'if-match': etag }
      expect((await ann.call('PATCH', path, { json: { text: 'd' }, headers })).status).toBe(412)
      expect((await ann.call('POST', `${path}/revert`, { json: { version: 1 }, headers })).status).toBe(412)
      expect((await ann.call('DELETE', path, { headers })).status).toBe(412)
    }
    expect((await ann.call('GET', path)).body).toMatchObject({ text: 'c', version: 1 })
    const headers = { 'if-match': `${first}, ${await readEtag()}` }
    expect((await ann.call('PATCH', path, { json: { text: 'd' }, headers })).status).toBe(200)
  })
})
