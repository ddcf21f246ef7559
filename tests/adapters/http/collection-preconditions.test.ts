import { describe, expect, test } from 'bun:test'
import { NOTES, startNotes } from '../../support/notes.ts'
import type { ProblemBody } from '../../support/shopping.ts'

const { admin, ann, fresh, read } = await startNotes()

describe('a definition', () => {
  test('with If-Match is only replaced at that version', async () => {
    const name = fresh()
    const { headers } = await admin.define(name, NOTES)
    const etag = headers.get('etag') ?? ''
    const changed = { ...NOTES, search: ['text'] }
    expect((await admin.define(name, changed, { 'if-match': etag })).status).toBe(200)
    const late = await admin.define<ProblemBody>(name, NOTES, { 'if-match': etag })
    expect([late.status, late.body.code]).toEqual([412, 'version_mismatch'])
    expect((await read(name)).body.version).toBe(2)
    const removal = await admin.call('DELETE', `/collections/${name}`, { headers: { 'if-match': etag } })
    expect(removal.status).toBe(412)
  })

  test('with If-Match: * must exist already', async () => {
    const name = fresh()
    const headers = { 'if-match': '*' }
    const refused = await admin.define<ProblemBody>(name, NOTES, headers)
    expect([refused.status, refused.body.code]).toEqual([412, 'version_mismatch'])
    expect((await read(name)).status).toBe(404)
    await admin.define(name, NOTES)
    expect((await admin.define(name, { ...NOTES, search: ['text'] }, headers)).status).toBe(200)
  })

  test.each(['"1-aaaa"', 'W/"1-aaaa"', '1', ''])(
    'with If-Match: %s, which no version has, is not created',
    async (tag) => {
      expect((await admin.define(fresh(), NOTES, { 'if-match': tag })).status).toBe(412)
    },
  )

  test('is deleted at the version of If-Match, whatever its records', async () => {
    const name = fresh()
    const { headers } = await admin.define(name, NOTES)
    await ann.create(name, { text: 'a' })
    const known = { 'if-match': headers.get('etag') ?? '' }
    const remove = (query: string) => admin.call('DELETE', `/collections/${name}${query}`, { headers: known })
    expect([(await remove('')).status, (await remove('?records=1')).status]).toEqual([409, 204])
  })

  test('with If-None-Match: * must be new', async () => {
    const name = fresh()
    const headers = { 'if-none-match': '*' }
    expect((await admin.define(name, NOTES, headers)).status).toBe(201)
    const again = await admin.define<ProblemBody>(name, { ...NOTES, search: ['text'] }, headers)
    expect([again.status, again.body.code]).toEqual([412, 'version_mismatch'])
  })
})

describe('the ETag of a definition', () => {
  test('changes with the number of records that is shown', async () => {
    const name = fresh()
    const etag = (await admin.define(name, NOTES)).headers.get('etag') ?? ''
    const again = () => admin.call('GET', `/collections/${name}`, { headers: { 'if-none-match': etag } })
    expect((await again()).status).toBe(304)
    const { body } = await ann.create(name, { text: 'a' })
    expect([(await again()).status, (await again()).body]).toMatchObject([200, { records: 1 }])
    await ann.remove(name, body.id)
    expect((await again()).status).toBe(304)
  })

  test('matches as If-Match until the definition is changed, whatever happens to records', async () => {
    const name = fresh()
    const etag = (await admin.define(name, NOTES)).headers.get('etag') ?? ''
    await ann.create(name, { text: 'a' })
    expect((await admin.define(name, { ...NOTES, owner: 'keep' }, { 'if-match': etag })).status).toBe(200)
    expect((await admin.define(name, NOTES, { 'if-match': etag })).status).toBe(412)
  })
})
