import { describe, expect, test } from 'bun:test'
import { codeOf, NOBODY, openCollections, refusalOf } from '../support/collections.ts'
import { LISTS, openShared, PAGE, patch, TASKS, titles } from '../support/shared-lists.ts'

describe('rules', () => {
  test('decide who may read a record; for all others it does not exist', async () => {
    const opened = await openShared()
    const { create, records, member, stranger, owner, list } = opened
    const { id } = await create(member, 'tasks', { title: 'a', list: list.id })
    for (const reader of [owner, member]) expect((await records.get(reader, 'tasks', id)).record.title).toBe('a')
    expect(await codeOf(records.get(stranger, 'tasks', id))).toBe('not_found')
    expect(await codeOf(patch(opened, stranger, 'tasks', id, { title: 'b' }))).toBe('not_found')
    expect(await codeOf(records.remove(stranger, 'tasks', id, null))).toBe('not_found')
  })

  test('forbid changes of what may be read', async () => {
    const opened = await openShared()
    const { create, records, member, owner, list } = opened
    const { id } = await create(member, 'tasks', { title: 'a', list: list.id })
    const other = await create(owner, 'lists', { title: 'other' })
    expect(await codeOf(records.remove(owner, 'tasks', id, null))).toBe('forbidden')
    expect(await codeOf(patch(opened, owner, 'tasks', id, { list: other.id }))).toBe('forbidden')
    expect(await codeOf(patch(opened, member, 'lists', list.id, { title: 'mine' }))).toBe('forbidden')
  })

  test('are evaluated on a new record as it would be stored', async () => {
    const { create, stranger, list } = await openShared()
    expect(await codeOf(create(stranger, 'tasks', { title: 'a', list: list.id }))).toBe('forbidden')
  })

  test('always admit admins', async () => {
    const { define, create, records, anAdmin } = openCollections()
    await define({ ...LISTS, rules: { read: null, create: null, update: null, delete: null } })
    const admin = await anAdmin()
    const { id } = await create(admin, 'lists', { title: 'a' })
    expect((await records.get(admin, 'lists', id)).record.title).toBe('a')
  })

  test('may admit someone without a token, whose records have no owner', async () => {
    const { define, create, records } = openCollections()
    await define({ ...LISTS, rules: { read: 'true', create: 'true' } })
    const { id, ownerId } = await create(NOBODY, 'lists', { title: 'a' })
    expect(ownerId).toBeNull()
    expect((await records.get(null, 'lists', id)).record.title).toBe('a')
    expect(await codeOf(records.get(null, 'lists', id + 1))).toBe('not_found')
    expect(await codeOf(records.remove(NOBODY, 'lists', id, null))).toBe('unauthenticated')
  })

  test('refuse a caller without a token with a request to sign in', async () => {
    const { create, records, owner, list } = await openShared()
    expect(await codeOf(records.get(null, 'lists', list.id))).toBe('unauthenticated')
    expect(await codeOf(records.list(null, 'lists', PAGE))).toBe('unauthenticated')
    expect(await codeOf(create(NOBODY, 'lists', { title: 'a' }))).toBe('unauthenticated')
    expect(await codeOf(records.list(null, 'items', { ...PAGE, ownerId: owner.userId }))).toBe('unauthenticated')
  })

  test('read the verified address of the caller', async () => {
    const { define, create, person } = openCollections()
    await define({ ...LISTS, rules: { create: 'auth.email_verified && auth.email.endsWith("@example.com")' } })
    expect((await create(await person('user', { emailVerified: true }), 'lists', { title: 'a' })).title).toBe('a')
    expect(await codeOf(create(await person(), 'lists', { title: 'a' }))).toBe('forbidden')
  })

  test('see the effects of earlier operations of a batch', async () => {
    const { records, owner, member, stranger, list } = await openShared()
    const invite = { op: 'update', collection: 'lists', id: list.id, patch: { members: [] }, expected: null } as const
    const task = { op: 'create', collection: 'tasks', draft: { title: 'a', list: list.id } } as const
    expect((await refusalOf(records.batch(stranger, [task], null))).code).toBe('forbidden')
    const done = await records.batch(owner, [task, invite], null)
    expect('result' in done && done.result.map((result) => result?.record.version)).toEqual([1, 2])
    expect((await refusalOf(records.batch(member, [task], null))).code).toBe('forbidden')
  })

  test('take effect when a definition they read has changed', async () => {
    const { define, create, records, member, list } = await openShared()
    const { id } = await create(member, 'tasks', { title: 'a', list: list.id })
    await define({ ...TASKS, rules: { ...TASKS.rules, read: 'auth.id == record.list.owner_id' } })
    expect(await codeOf(records.get(member, 'tasks', id))).toBe('not_found')
  })
})

describe('lists', () => {
  test('contain only what the caller may read', async () => {
    const opened = await openShared()
    const { create, owner, member, stranger, anAdmin, list } = opened
    await create(member, 'tasks', { title: 'a', list: list.id })
    const mine = await create(stranger, 'lists', { title: 'mine' })
    await create(stranger, 'tasks', { title: 'b', list: mine.id })
    expect(await titles(opened, owner, 'tasks')).toEqual(['a'])
    expect(await titles(opened, stranger, 'tasks')).toEqual(['b'])
    expect(await titles(opened, await anAdmin(), 'tasks')).toEqual(['a', 'b'])
  })

  test('are filtered by an expression', async () => {
    const opened = await openShared()
    const { create, owner, list } = opened
    for (const [title, done] of [
      ['a', true],
      ['b', false],
      ['ab', true],
    ] as const) {
      await create(owner, 'tasks', { title, done, list: list.id })
    }
    const filter = 'done && title.startsWith("a") && list.owner_id > 0'
    expect(await titles(opened, owner, 'tasks', { filter })).toEqual(['a', 'ab'])
  })

  test('name the position of each fault of a filter', async () => {
    const { records, owner } = await openShared()
    const refused = await records.list(owner, 'tasks', PAGE, { filter: 'done && nothing' }).catch((error) => error)
    expect(refused.faults).toMatchObject([{ in: 'query', pointer: '/filter' }])
    expect(refused.faults[0].detail).toContain('at position 8')
  })

  test('refuse to sort by a field without an index', async () => {
    const { records, owner } = await openShared()
    const by = (field: string) => records.list(owner, 'tasks', { ...PAGE, sort: { field, descending: false } })
    expect(await refusalOf(by('done'))).toEqual({ code: 'validation_failed', pointers: ['/sort'] })
    expect((await by('list')).page.items).toEqual([])
  })

  test('of items contain those of one owner, unless an admin requests others', async () => {
    const { records, owner, stranger, anAdmin, create } = await openShared()
    await create(owner, 'items', { title: 'a' })
    expect(await titles({ records }, await anAdmin(), 'items')).toEqual(['a'])
    expect(await codeOf(records.list(stranger, 'items', { ...PAGE, ownerId: owner.userId }))).toBe('forbidden')
  })
})
