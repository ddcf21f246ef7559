import { describe, expect, test } from 'bun:test'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { codeOf, refusalOf } from '../support/collections.ts'
import { readEvents } from '../support/events.ts'
import { openShared, PAGE, patch, TASKS } from '../support/shared-lists.ts'

describe('writing', () => {
  test('fills in the defaults of omitted fields when a record is created, and only then', async () => {
    const opened = await openShared()
    const { create, owner, list } = opened
    const task = await create(owner, 'tasks', { title: 'a', list: list.id })
    expect(task).toMatchObject({ done: false, note: 'none', due_at: null })
    const changed = await patch(opened, owner, 'tasks', task.id, { note: null })
    expect(changed.record).toMatchObject({ note: null, version: 2 })
  })

  test('lists every fault at once', async () => {
    const { create, owner } = await openShared()
    const refused = await refusalOf(create(owner, 'tasks', { title: '', done: 1, more: true }))
    expect(refused.code).toBe('validation_failed')
    expect([...refused.pointers].sort()).toEqual(['/done', '/list', '/more', '/title'])
  })

  test('merges a patch into objects, and checks the result as a whole', async () => {
    const opened = await openShared()
    const { create, owner, list } = opened
    const { id } = await create(owner, 'tasks', { title: 'a', list: list.id, meta: { a: 1, b: { c: 2 } } })
    const { record } = await patch(opened, owner, 'tasks', id, { meta: { a: null, b: { d: 3 } } })
    expect(record.meta).toEqual({ b: { c: 2, d: 3 } })
    expect(await refusalOf(patch(opened, owner, 'tasks', id, { title: null }))).toMatchObject({
      code: 'validation_failed',
    })
    expect(await refusalOf(patch(opened, owner, 'tasks', id, { other: null }))).toMatchObject({ pointers: ['/other'] })
  })

  test('a patch that changes nothing keeps the version', async () => {
    const opened = await openShared()
    const { create, owner, list } = opened
    const { id } = await create(owner, 'tasks', { title: 'a', list: list.id })
    const { record } = await patch(opened, owner, 'tasks', id, { title: 'a', due_at: null, meta: null })
    expect(record.version).toBe(1)
  })

  test('a value that is not unique is refused with its fields', async () => {
    const { create, owner, list } = await openShared()
    await create(owner, 'tasks', { title: 'a', list: list.id })
    const refused = await refusalOf(create(owner, 'tasks', { title: 'a', list: list.id }))
    expect(refused).toEqual({ code: 'not_unique', pointers: ['/list', '/title'] })
  })

  test('a record that is too large is refused', async () => {
    const { create, owner, list } = await openShared()
    const meta = { text: 'x'.repeat(65_536) }
    expect(await codeOf(create(owner, 'tasks', { title: 'a', list: list.id, meta }))).toBe('data_too_large')
  })

  test('logs the record before its change', async () => {
    const opened = await openShared()
    const { create, owner, list, store } = opened
    const { id } = await create(owner, 'tasks', { title: 'a', list: list.id })
    await patch(opened, owner, 'tasks', id, { title: 'b' })
    const events = (await readEvents(store)).filter(({ kind }) => kind === 'tasks')
    expect(events.map(({ data, previous }) => [data.title, previous?.title])).toEqual([
      ['a', undefined],
      ['b', 'a'],
    ])
  })

  test('an idempotency key repeats the response for a record that belongs to someone else', async () => {
    const { records, owner, member, create, list } = await openShared()
    const { id } = await create(owner, 'tasks', { title: 'a', list: list.id })
    const operations = [{ op: 'update', collection: 'tasks', id, patch: { done: true }, expected: null }] as const
    const idempotency = {
      key: 'k',
      route: 'r',
      fingerprint: new Uint8Array([1]),
      responseOf: () => ({ status: 200, headers: {}, body: 'done' }),
    }
    const answers = [
      await records.batch(member, operations, idempotency),
      await records.batch(member, operations, idempotency),
    ]
    expect(answers.map((answer) => 'replayed' in answer)).toEqual([false, true])
  })
})

describe('references', () => {
  test('must lead to records that exist and that the writer may read', async () => {
    const { create, define, owner, person, stranger } = await openShared()
    const inactive = await person('user', { isActive: false })
    const members = [owner.userId, 999, stranger.userId, inactive.userId]
    const refused = await refusalOf(create(owner, 'lists', { title: 'a', members }))
    expect(refused).toEqual({ code: 'validation_failed', pointers: ['/members/1', '/members/3'] })
    const theirs = await create(stranger, 'lists', { title: 'b' })
    await define({ ...TASKS, rules: { create: 'auth != null' } })
    const task = create(owner, 'tasks', { title: 'a', list: theirs.id })
    expect(await refusalOf(task)).toEqual({ code: 'validation_failed', pointers: ['/list'] })
  })

  test('that a record already has stay valid, whatever happened to their targets', async () => {
    const opened = await openShared()
    const { owner, member, list, store } = opened
    await store.write(async (tx) => {
      const user = await tx.users.findById(member.userId)
      if (user !== null) await tx.users.update({ ...user, isActive: false })
    })
    expect((await patch(opened, owner, 'lists', list.id, { title: 'b' })).record.title).toBe('b')
  })
})

describe('expanding', () => {
  test('adds referenced records, over two steps', async () => {
    const { create, records, owner, member, list } = await openShared()
    const { id } = await create(member, 'tasks', { title: 'a', list: list.id })
    const { expanded } = await records.get(member, 'tasks', id, {
      expand: ['list', 'list.owner', 'owner', 'list.members'],
    })
    expect(expanded).toMatchObject({
      owner: { kind: 'user', id: member.userId },
      list: {
        kind: 'record',
        record: { title: 'home' },
        expanded: { owner: { id: owner.userId }, members: [{ id: member.userId }] },
      },
    })
  })

  test('omits records that the caller may not read', async () => {
    const { define, create, records, owner, stranger, list } = await openShared()
    await define({ ...TASKS, rules: { read: 'true', create: 'true' } })
    const { id } = await create(owner, 'tasks', { title: 'a', list: list.id })
    expect((await records.get(stranger, 'tasks', id, { expand: ['list'] })).expanded).toEqual({})
  })

  test('adds at most a hundred to a list', async () => {
    const { create, records, owner, person } = await openShared()
    const members: number[] = []
    for (let n = 0; n < 70; n++) members.push((await person()).userId)
    const other = [
      ...members.slice(50),
      ...(await Promise.all(Array.from({ length: 60 }, async () => (await person()).userId))),
    ]
    await create(owner, 'lists', { title: 'a', members })
    await create(owner, 'lists', { title: 'b', members: other })
    const { expanded } = await records.list(owner, 'lists', PAGE, { expand: ['members'] })
    const ids = [...(expanded?.values() ?? [])].flatMap((each) =>
      Object.values(each)
        .flat()
        .map((one) => 'id' in one && one.id),
    )
    expect(new Set(ids).size).toBe(100)
  })

  test('refuses a path that is not a reference', async () => {
    const { records, owner, list } = await openShared()
    for (const path of ['title', 'members.name', 'a.b.c']) {
      const refused = await refusalOf(records.get(owner, 'lists', list.id, { expand: [path] }))
      expect(refused).toEqual({ code: 'validation_failed', pointers: ['/expand'] })
    }
  })
})

test('a batch changes several collections, all or nothing, and reports which operation failed', async () => {
  const { records, owner } = await openShared()
  const create = (collection: string, draft: JsonObject) => ({ op: 'create', collection, draft }) as const
  const refused = await records
    .batch(owner, [create('lists', { title: 'a' }), create('items', { title: 'b' }), create('tasks', {})], null)
    .catch((error) => error)
  expect(refused).toMatchObject({ code: 'validation_failed', index: 2 })
  expect((await records.list(owner, 'lists', PAGE)).page.items).toHaveLength(1)
  const unknown = await records.batch(owner, [create('lists', { title: 'a' }), create('x', {})], null).catch((e) => e)
  expect(unknown).toMatchObject({ code: 'not_found', index: 1 })
})
