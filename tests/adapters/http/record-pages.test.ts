import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))

describe('a list of records', () => {
  test('has 20 records of the first page unless it is asked for others, and no number of pages after a cursor', async () => {
    const name = 'longs'
    await admin.define(name, {
      schema: { type: 'object', properties: { text: { type: 'string', maxLength: 100 } } },
      indexes: [{ fields: ['text'] }],
    })
    for (let n = 0; n < 25; n++) await admin.create(name, { text: `${n}` })
    const { body: first } = await admin.list(name)
    expect(first).toMatchObject({ total: 25, page: 1, size: 20, pages: 2 })
    expect(first.items).toHaveLength(20)
    const { body: second } = await admin.list(name, { page: '2' })
    expect(second).toMatchObject({ total: 25, page: 2, pages: 2, next_cursor: null })
    const { body: after } = await admin.list(name, { cursor: first.next_cursor ?? '' })
    expect(after).toMatchObject({ items: second.items, total: null, page: null, pages: null, next_cursor: null })
    expect((await admin.list(name, { page: '3' })).body).toMatchObject({ items: [], total: 25 })
    for (const query of [
      { size: '0' },
      { size: '101' },
      { page: '0' },
      { sort: 'text', cursor: first.next_cursor ?? '' },
    ]) {
      expect((await admin.list(name, query)).status).toBe(422)
    }
  })

  test('has an exact total up to 10,000 matches, and says from there on that there are more', async () => {
    const name = 'manies'
    await admin.define(name, { schema: { type: 'object', properties: { n: { type: 'integer' } } } })
    const headers = { 'content-type': 'application/x-ndjson' }
    const importing = (count: number) =>
      admin.call('POST', `/collections/${name}/records/import`, { body: '{"n":1}\n'.repeat(count), headers })
    expect((await importing(10_000)).body).toMatchObject({ created: 10_000 })
    const ask = async () => (await admin.list(name, { filter: 'n == 1', size: '1' })).body
    expect(await ask()).toMatchObject({ total: 10_000 })
    await importing(1)
    expect(await ask()).toMatchObject({ total: null, pages: null, total_at_least: 10_000 })
  })

  describe('with a cursor of a sort whose index is no longer the one that a new list is sorted by', () => {
    const byRank = { fields: ['text', 'rank'] }
    const bySize = { fields: ['text', 'size'] }
    const schema = {
      type: 'object',
      properties: { text: { type: 'string', maxLength: 10 }, rank: { type: 'integer' }, size: { type: 'integer' } },
    }
    let count = 0

    /** The first page of records with one text, and its cursor, and then these indexes. */
    const begun = async (indexes: readonly object[], query: Readonly<Record<string, string>> = {}) => {
      const name = `changes_${++count}s`
      await admin.define(name, { schema, indexes: [byRank, bySize] })
      for (let n = 0; n < 6; n++) await admin.create(name, { text: 'same', rank: n, size: -n })
      const { body } = await admin.list(name, { sort: 'text', size: '3', ...query })
      expect((await admin.define(name, { schema, indexes })).status).toBe(200)
      return { name, first: body.items, cursor: body.next_cursor ?? '' }
    }

    test.each([
      ['the indexes have another order', [bySize, byRank], {}],
      ['a shorter index is there too', [byRank, bySize, { fields: ['text'] }], {}],
      ['the list is filtered', [bySize, byRank], { filter: 'text == "same"' }],
    ])('continues after the first page when %s', async (_, indexes, query) => {
      const { name, first, cursor } = await begun(indexes, query)
      const { status, body } = await admin.list(name, { cursor, ...query })
      expect(status).toBe(200)
      expect([...first, ...body.items].map(({ rank }) => rank)).toEqual([0, 1, 2, 3, 4, 5])
    })

    test('is refused when that index is gone', async () => {
      const { name, cursor } = await begun([bySize])
      const { status, body } = await admin.list(name, { cursor })
      expect([status, body]).toMatchObject([422, { code: 'invalid_cursor' }])
    })
  })
})
