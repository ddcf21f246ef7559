import { describe, expect, test } from 'bun:test'
import type { ImportLine, ImportResult } from '../../src/application/import-results.ts'
import type { ListOptions } from '../../src/application/records.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { Actor, Principal } from '../../src/domain/session.ts'
import { codeOf, NOBODY, openCollections, refusalOf } from '../support/collections.ts'
import { readEvents } from '../support/events.ts'

const LISTS = {
  name: 'lists',
  schema: {
    type: 'object',
    required: ['title'],
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 50 },
      members: { type: 'array', items: { type: 'integer' }, 'x-ref': 'users', 'x-on-delete': 'clear', default: [] },
    },
  },
  rules: { read: 'auth.id == record.owner_id || auth.id in record.members' },
} as const

const TASKS = {
  name: 'tasks',
  schema: {
    type: 'object',
    required: ['title', 'list'],
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 50 },
      done: { type: 'boolean', default: false },
      due_at: { type: ['string', 'null'], format: 'date-time' },
      note: { type: 'string', default: 'none' },
      meta: { type: 'object' },
      list: { type: 'integer', 'x-ref': 'lists', 'x-on-delete': 'cascade' },
    },
  },
  indexes: [{ fields: ['list', 'title'], unique: true }],
  rules: {
    read: 'auth.id == record.list.owner_id || auth.id in record.list.members',
    create: 'auth.id == record.list.owner_id || auth.id in record.list.members',
    update: '(auth.id == record.list.owner_id || auth.id in record.list.members) && next.list == record.list',
    delete: 'auth.id == record.owner_id',
  },
} as const

const PAGE = {
  size: 10,
  sort: { field: 'created_at', descending: false },
  from: { page: 1 },
  ownerId: null,
  text: null,
  createdAfter: null,
  createdBefore: null,
} as const

/** A list of one person that another is a member of. */
const openShared = async () => {
  const opened = openCollections()
  const { define, create, person } = opened
  await define(LISTS)
  await define(TASKS)
  const [owner, member, stranger] = [await person(), await person(), await person()]
  const list = await create(owner, 'lists', { title: 'home', members: [member.userId] })
  return { ...opened, owner, member, stranger, list }
}

type Opened = Pick<ReturnType<typeof openCollections>, 'records'>

const titles = async ({ records }: Opened, reader: Principal | null, name: string, options?: ListOptions) => {
  const { page } = await records.list(reader, name, PAGE, options)
  return page.items.map(({ title }) => title)
}

const patch = ({ records }: Opened, author: Actor, name: string, id: number, change: JsonObject) =>
  records.update(author, name, id, change, { expected: null })

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

const linesOf = async function* (lines: readonly unknown[]) {
  for (const line of lines) yield typeof line === 'string' ? line : JSON.stringify(line)
}

describe('importing', () => {
  const importing = async (lines: readonly unknown[], isDryRun = false) => {
    const opened = await openShared()
    const admin = await opened.anAdmin()
    const done = await opened.records.importLines(admin, 'tasks', linesOf(lines), { isDryRun, idempotency: null })
    if ('replayed' in done) throw new Error('there was no key')
    return { ...opened, admin, result: done.result }
  }

  test('creates records, and lists the lines that it refuses', async () => {
    const many = Array.from({ length: 250 }, (_, n) => ({ title: `t${n}`, list: n === 200 ? 99 : 1 }))
    const { result, admin, records } = await importing([...many, 'no JSON', { title: 't1', list: 1 }, '', { title: 5 }])
    expect(result).toMatchObject({ created: 249, refused: 4 })
    expect(result.lines.map(({ line, code }) => [line, code])).toEqual([
      [201, 'validation_failed'],
      [251, 'validation_failed'],
      [252, 'not_unique'],
      [254, 'validation_failed'],
    ])
    const { page } = await records.list(admin, 'tasks', PAGE)
    expect(page.total).toBe(249)
  })

  test('accepts the output of an export, with its owners', async () => {
    const { result, admin, records, owner } = await importing([{ id: 7, version: 3, owner_id: 1, title: 'a', list: 1 }])
    expect(result).toMatchObject({ created: 1, refused: 0 })
    const { chunks } = await records.export(admin, 'tasks')
    const all = []
    for await (const chunk of chunks) all.push(...chunk)
    expect(all.map(({ title, ownerId, version }) => [title, ownerId, version])).toEqual([['a', 1, 1]])
    expect(await codeOf(records.export(owner, 'tasks'))).toBe('forbidden')
  })

  test('finds in a dry run every line that an import would refuse, however far a duplicate is from the first', async () => {
    const lines = [
      { title: 'refused', list: 99 },
      ...Array.from({ length: 250 }, (_, n) => ({ title: `t${n % 120}`, list: 1 })),
      { title: 'refused', list: 1 },
    ]
    const { result: checked } = await importing(lines, true)
    const { result: imported } = await importing(lines)
    expect(checked).toMatchObject({ created: 121, refused: 131 })
    expect({ created: imported.created, refused: imported.refused }).toEqual({ created: 121, refused: 131 })
    const reasons = ({ lines: refused }: typeof checked) => refused.map(({ line, code }) => [line, code])
    expect(reasons(checked)).toEqual(reasons(imported))
  })

  test('changes nothing in a dry run', async () => {
    const { result, admin, records } = await importing(
      [
        { title: 'a', list: 1 },
        { title: 'b', list: 99 },
      ],
      true,
    )
    expect(result).toMatchObject({ created: 1, refused: 1 })
    expect((await records.list(admin, 'tasks', PAGE)).page.items).toEqual([])
  })

  test('with one key, of two requests that began at the same time in different processes one continues', async () => {
    const { records, anAdmin } = await openShared()
    const admin = await anAdmin()
    const idempotency = {
      key: 'once',
      route: 'POST import',
      fingerprint: new Uint8Array(),
      extend: (before: Uint8Array, lines: readonly ImportLine[]) =>
        Buffer.from(`${Buffer.from(before)}${lines.map(({ text }) => text)}`),
      responseOf: (result: ImportResult) => ({ status: 200, headers: {}, body: JSON.stringify(result) }),
    }
    const all = Array.from({ length: 70 }, (_, n) => ({ title: `t${n}`, list: 1 }))
    const [isWaiting, mayGoOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slowly = async function* () {
      yield* linesOf(all.slice(0, 60))
      isWaiting.resolve()
      await mayGoOn.promise
      yield* linesOf(all.slice(60))
    }
    const options = { isDryRun: false, idempotency }
    const slow = codeOf(records.importLines(admin, 'tasks', slowly(), options))
    await isWaiting.promise
    const fast = await records.importLines(admin, 'tasks', linesOf(all), options)
    expect(fast).toMatchObject({ result: { created: 70, refused: 0 } })
    mayGoOn.resolve()
    expect(await slow).toBe('idempotency_in_progress')
    expect((await records.list(admin, 'tasks', PAGE)).page.total).toBe(70)
    const again = await records.importLines(admin, 'tasks', linesOf(all), options)
    expect(again).toMatchObject({ replayed: { status: 200 } })
  })
})
