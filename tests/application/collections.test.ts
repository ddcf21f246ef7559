import { describe, expect, test } from 'bun:test'
import type { Tx, UnitOfWork } from '../../src/application/ports/persistence.ts'
import { AppError } from '../../src/domain/errors.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { codeOf, openCollections, refusalOf } from '../support/collections.ts'
import { readEvents } from '../support/events.ts'

const NOTES = {
  name: 'notes',
  schema: { type: 'object', required: ['text'], properties: { text: { type: 'string', maxLength: 100 } } },
} as const

const notesWith = (properties: JsonObject, more: JsonObject = {}): JsonObject & { readonly name: string } => ({
  name: 'notes',
  schema: { type: 'object', properties },
  ...more,
})

const misfitsOf = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => null,
    (reason) => reason,
  )
  if (!(error instanceof AppError)) throw error
  return { code: error.code, ...error.misfits }
}

/** A store that calls `before` before each unit of work. */
const watched = (before: () => Promise<void>) => {
  let isIdle = true
  return (store: UnitOfWork): UnitOfWork => ({
    read: store.read,
    async write<T>(work: (tx: Tx) => Promise<T>) {
      if (isIdle) {
        isIdle = false
        await before()
        isIdle = true
      }
      return store.write(work)
    },
  })
}

describe('defining a collection', () => {
  test('creates it, and later changes it with a new version', async () => {
    const { define } = openCollections()
    const { details, isNew } = await define(NOTES)
    expect(isNew).toBe(true)
    expect(details).toMatchObject({ version: 1, records: 0, isBuiltIn: false, collection: { singular: 'note' } })
    const changed = await define({ ...NOTES, rules: { read: 'true' } })
    expect(changed).toMatchObject({ isNew: false, details: { version: 2 } })
  })

  test('the same definition keeps its version', async () => {
    const { define } = openCollections()
    await define(NOTES)
    expect((await define({ ...NOTES, owner: 'delete' })).details.version).toBe(1)
  })

  test('logs each change', async () => {
    const { define, collections, anAdmin, store } = openCollections()
    await define(NOTES)
    await define({ ...NOTES, rules: { read: 'true' } })
    await collections.remove(await anAdmin(), 'notes', { expected: null })
    const events = await readEvents(store)
    expect(events.map(({ kind, event, ownerId }) => [kind, event, ownerId])).toEqual([
      ['collections', 'collection.created', null],
      ['collections', 'collection.updated', null],
      ['collections', 'collection.deleted', null],
    ])
  })

  test('is for admins', async () => {
    const { collections, person } = openCollections()
    const actor = await person()
    expect(await codeOf(collections.put(actor, 'notes', NOTES, { expected: null }))).toBe('forbidden')
    expect(await codeOf(collections.list(actor, LIST))).toBe('forbidden')
  })

  test('lists every fault at once', async () => {
    const { define } = openCollections()
    const refused = await refusalOf(
      define(
        notesWith(
          { list: { type: 'integer', 'x-ref': 'nowhere' } },
          { rules: { read: 'record.nothing', update: 'true && ' } },
        ),
      ),
    )
    expect(refused).toEqual({
      code: 'validation_failed',
      pointers: ['/schema/properties/list/x-ref', '/rules/read', '/rules/update'],
    })
  })

  test('does not touch collections that are built in', async () => {
    const { define, collections, anAdmin } = openCollections()
    expect(await codeOf(define({ ...NOTES, name: 'items' }))).toBe('collection_built_in')
    const admin = await anAdmin()
    expect(await codeOf(collections.remove(admin, 'items', { expected: null }))).toBe('collection_built_in')
    expect((await collections.get(admin, 'items')).isBuiltIn).toBe(true)
  })

  test('is refused while files manage the definitions', async () => {
    const { define } = openCollections({ managed: true })
    expect(await codeOf(define(NOTES))).toBe('managed_by_files')
  })

  test('applies to the versions that the caller expects', async () => {
    const { define, collections, anAdmin } = openCollections()
    const { version, epoch } = (await define(NOTES)).details
    const admin = await anAdmin()
    const put = (options: object) => collections.put(admin, 'notes', NOTES, { expected: null, ...options })
    expect(await codeOf(put({ mustNotExist: true }))).toBe('version_mismatch')
    expect(await codeOf(put({ expected: [{ version: version + 1, epoch }] }))).toBe('version_mismatch')
    expect((await put({ expected: [{ version, epoch }] })).isNew).toBe(false)
  })

  test('is refused if a rule of another collection would no longer be valid', async () => {
    const { define } = openCollections()
    await define({ name: 'lists', schema: { type: 'object', properties: { title: { type: 'string' } } } })
    await define(
      notesWith({ list: { type: 'integer', 'x-ref': 'lists' } }, { rules: { read: 'record.list.title == "a"' } }),
    )
    const without = { name: 'lists', schema: { type: 'object', properties: { name: { type: 'string' } } } }
    expect(await codeOf(define(without))).toBe('validation_failed')
  })
})

const LIST = { size: 2, sort: { field: 'name', descending: false }, from: { page: 1 } } as const

test('lists every collection by name, with its number of records', async () => {
  const { define, create, collections, anAdmin, person } = openCollections()
  await define(NOTES)
  await define({ ...NOTES, name: 'albums', singular: 'album' })
  await create(await person(), 'notes', { text: 'a' })
  const admin = await anAdmin()
  const first = await collections.list(admin, LIST)
  expect(first.items.map(({ collection }) => collection.name)).toEqual(['albums', 'items'])
  expect(first.total).toBe(3)
  if (first.next === null) throw new Error('there is no next page')
  const second = await collections.list(admin, { ...LIST, from: { after: first.next } })
  expect(second.items.map(({ collection, records }) => [collection.name, records])).toEqual([['notes', 1]])
  expect(second.next).toBeNull()
})

describe('changing a definition that has records', () => {
  test('changes nothing and counts the misfits if some do not fit', async () => {
    const { define, create, person, collections, anAdmin } = openCollections()
    await define(notesWith({ text: { type: 'string' } }))
    const actor = await person()
    const ids: number[] = []
    for (let n = 0; n < 130; n++)
      ids.push((await create(actor, 'notes', { text: 'x'.repeat(n % 2 === 0 ? 5 : 50) })).id)
    const refused = await misfitsOf(define(notesWith({ text: { type: 'string', maxLength: 10 } })))
    expect(refused).toMatchObject({ code: 'records_do_not_fit', count: 65 })
    expect(refused.first?.map(({ id }) => id)).toEqual(ids.filter((_, n) => n % 2 === 1).slice(0, 10))
    expect(refused.first?.[0]?.faults[0]?.pointer).toBe('/text')
    expect((await collections.get(await anAdmin(), 'notes')).version).toBe(1)
  })

  test('a transform gives every record its new form', async () => {
    const { define, create, person, records } = openCollections()
    await define(notesWith({ text: { type: 'string' } }))
    const actor = await person()
    const { id } = await create(actor, 'notes', { text: 'a' })
    await define(notesWith({ body: { type: 'string' } }), [{ op: 'move', from: '/text', path: '/body' }])
    expect((await records.get(actor, 'notes', id)).record).toMatchObject({ body: 'a', version: 1 })
  })

  test('records whose values are not unique do not fit a unique index', async () => {
    const { define, create, person } = openCollections()
    const text = { text: { type: 'string', maxLength: 10 } }
    await define(notesWith(text))
    const actor = await person()
    for (const value of ['a', 'b', 'a', 'a']) await create(actor, 'notes', { text: value })
    const unique = { indexes: [{ fields: ['text'], unique: true }] }
    expect(await misfitsOf(define(notesWith(text, unique)))).toMatchObject({ code: 'records_do_not_fit', count: 2 })
  })

  test('a new unique index applies to later writes', async () => {
    const { define, create, person } = openCollections()
    const text = { text: { type: 'string', maxLength: 10 } }
    await define(notesWith(text))
    const actor = await person()
    for (const value of ['a', 'b']) await create(actor, 'notes', { text: value })
    await define(notesWith(text, { indexes: [{ fields: ['text'], unique: true }] }))
    expect(await refusalOf(create(actor, 'notes', { text: 'a' }))).toEqual({ code: 'not_unique', pointers: ['/text'] })
  })

  test('a new reference must have a target in every record', async () => {
    const { define, create, person, anAdmin, collections } = openCollections()
    await define(notesWith({ author: { type: 'integer' } }))
    const actor = await person()
    await create(actor, 'notes', { author: actor.userId })
    const { id } = await create(actor, 'notes', { author: 999 })
    const refused = await misfitsOf(define(notesWith({ author: { type: 'integer', 'x-ref': 'users' } })))
    expect(refused).toMatchObject({ count: 1, first: [{ id, faults: [{ pointer: '/author' }] }] })
    expect((await collections.get(await anAdmin(), 'notes')).version).toBe(1)
  })

  test('records written meanwhile are part of it', async () => {
    let during = async () => {}
    const { define, create, person, records } = openCollections({ wrap: watched(() => during()) })
    await define(notesWith({ text: { type: 'string' } }))
    const actor = await person()
    const { id } = await create(actor, 'notes', { text: 'a' })
    const made: number[] = []
    during = async () => {
      made.push((await create(actor, 'notes', { text: 'b' })).id)
    }
    await define(notesWith({ body: { type: 'string' } }), [{ op: 'move', from: '/text', path: '/body' }])
    during = async () => {}
    expect(made.length).toBeGreaterThan(1)
    for (const each of [id, ...made]) {
      expect((await records.get(actor, 'notes', each)).record.body).toBe(each === id ? 'a' : 'b')
    }
  })

  test('a record that is written meanwhile and does not fit is stored, and is a misfit', async () => {
    let during = async () => {}
    const { define, create, person, records } = openCollections({ wrap: watched(() => during()) })
    await define(notesWith({ text: { type: 'string' } }))
    const actor = await person()
    await create(actor, 'notes', { text: 'a' })
    let late = 0
    let units = 0
    during = async () => {
      if (++units === 2) late = (await create(actor, 'notes', { text: 'too long' })).id
    }
    const refused = await misfitsOf(define(notesWith({ text: { type: 'string', maxLength: 3 } })))
    expect(refused).toMatchObject({ code: 'records_do_not_fit', count: 1, first: [{ id: late }] })
    expect((await records.get(actor, 'notes', late)).record.text).toBe('too long')
  })

  test('a change that a process left unfinished is abandoned', async () => {
    const { define, store, collections, create, person } = openCollections()
    await define(notesWith({ text: { type: 'string' } }))
    await store.write(async (tx) => {
      const stored = await tx.collections.findForChange('notes')
      if (stored !== null) await tx.collections.prepare(stored, { collection: stored.collection, transform: null })
    })
    await collections.abandonUnfinished({ isAlone: true })
    expect((await store.read((tx) => tx.collections.find('notes')))?.pending).toBeNull()
    await create(await person(), 'notes', { text: 'a' })
  })
})

describe('deleting a collection', () => {
  test('needs the exact number of its records', async () => {
    const { define, create, collections, anAdmin, person, store } = openCollections()
    await define(NOTES)
    for (let n = 0; n < 3; n++) await create(await person(), 'notes', { text: 'a' })
    const admin = await anAdmin()
    const remove = (options: object) => collections.remove(admin, 'notes', { expected: null, ...options })
    expect(await codeOf(remove({}))).toBe('not_empty')
    expect(await codeOf(remove({ records: 2 }))).toBe('not_empty')
    await remove({ records: 3 })
    expect(await codeOf(collections.get(admin, 'notes'))).toBe('not_found')
    while (await store.write((tx) => tx.collections.cleanUp(100)));
  })

  test('is refused while another collection references it', async () => {
    const { define, collections, anAdmin } = openCollections()
    await define({ ...NOTES, name: 'lists', singular: 'list' })
    await define(notesWith({ list: { type: 'integer', 'x-ref': 'lists' } }))
    const admin = await anAdmin()
    expect(await codeOf(collections.remove(admin, 'lists', { expected: null }))).toBe('referenced')
  })
})
