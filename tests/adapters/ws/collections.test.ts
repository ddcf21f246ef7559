import { expect, test } from 'bun:test'
import { type LiveMember, startLiveCollections } from '../../support/live-collections.ts'
import type { Frame, TestSocket } from '../../support/socket.ts'

const ANYONE = { create: 'auth != null', update: 'auth != null', delete: 'auth != null' }
const MEMBERS = 'auth.id == record.list.owner_id || auth.id in record.list.members'
const members = { type: 'array', items: { type: 'integer' }, 'x-ref': 'users', default: [] }

const skep = await startLiveCollections()
const admin = await skep.member('admin')
const ann = await skep.member()
const bob = await skep.member()
const carl = await skep.member()

let count = 0

/** Collections of lists and tasks for one test. */
const model = async ({ onDelete = 'cascade', read = MEMBERS as string | null } = {}) => {
  const run = ++count
  const [lists, tasks, task] = [`lists${run}`, `tasks${run}`, `task${run}`]
  await skep.define({
    name: lists,
    singular: `list${run}`,
    schema: { type: 'object', properties: { name: { type: 'string', maxLength: 100 }, members } },
    rules: { read: 'true', ...ANYONE },
  })
  const definition = (rule: string | null) => ({
    name: tasks,
    singular: task,
    schema: {
      type: 'object',
      required: ['title'],
      properties: {
        title: { type: 'string', maxLength: 100 },
        done: { type: 'boolean', default: false },
        list: { type: ['integer', 'null'], 'x-ref': lists, 'x-on-delete': onDelete },
      },
    },
    rules: { read: rule, ...ANYONE },
  })
  await skep.define(definition(read))
  return {
    lists,
    tasks,
    task,
    setRule: (rule: string | null) => skep.define(definition(rule)),
    list: (shared: readonly LiveMember[] = []) => ann.create(lists, { members: shared.map(({ id }) => id) }),
  }
}

const subscribe = async (member: LiveMember, topic: string, options: { filter?: string; after?: string } = {}) => {
  const socket = await member.open()
  const answer = socket.until(() => socket.frames.some(({ ref }) => ref === 'this'))
  socket.send({ type: 'subscribe', topic, ref: 'this', ...options })
  await answer
  return socket
}

/** What came, once the socket has had everything. */
const received = async (socket: TestSocket, last: Partial<Frame>): Promise<readonly string[]> => {
  await socket.sees(last)
  return socket.events().map(({ event, data }) => `${event?.split('.')[1]} ${data?.id}`)
}

const cursorOf = (socket: TestSocket): string =>
  socket.frames.findLast(({ cursor }) => cursor !== undefined)?.cursor ?? ''

test('a record arrives when it starts to match the filter and leaves when it stops', async () => {
  const { tasks, task, list } = await model()
  const { id: in1 } = await list()
  await using socket = await subscribe(ann, tasks, { filter: '!done' })
  const { id } = await ann.create(tasks, { title: 'sweep', list: in1 })
  await ann.update(tasks, id, { done: true })
  await ann.update(tasks, id, { title: 'sweep again' })
  await ann.update(tasks, id, { done: false })
  expect(await received(socket, { event: `${task}.updated` })).toEqual([`created ${id}`, `left ${id}`, `updated ${id}`])
  expect(socket.events()[1]?.data).toEqual({ id } as never)
  expect(socket.events()[2]?.data).toMatchObject({ title: 'sweep again', done: false } as never)
})

test('only those who may read a record learn of it', async () => {
  const { tasks, task, list } = await model()
  const { id: in1 } = await list([bob])
  await using readable = await subscribe(bob, tasks)
  await using hidden = await subscribe(carl, tasks)
  const { id } = await ann.create(tasks, { title: 'sweep', list: in1 })
  await ann.remove(tasks, id)
  expect(await received(readable, { event: `${task}.deleted` })).toEqual([`created ${id}`, `deleted ${id}`])
  await hidden.settled()
  expect(hidden.events()).toEqual([])
})

test('a record leaves when it changes so that the rule no longer holds', async () => {
  const { tasks, task, list } = await model()
  const [{ id: shared }, { id: own }] = [await list([bob]), await list()]
  const { id } = await ann.create(tasks, { title: 'sweep', list: shared })
  await using socket = await subscribe(bob, tasks)
  await ann.update(tasks, id, { list: own, title: 'a secret' })
  expect(await received(socket, { event: `${task}.left` })).toEqual([`left ${id}`])
  expect(socket.texts.join('')).not.toContain('a secret')
})

test('records leave and arrive when the record that they refer to changes', async () => {
  const { lists, tasks, task, list } = await model()
  const { id: shared } = await list([bob])
  const [one, other] = [
    await ann.create(tasks, { title: 'a', list: shared }),
    await ann.create(tasks, { title: 'b', list: shared }),
  ]
  await using socket = await subscribe(bob, tasks)
  await ann.update(lists, shared, { members: [] })
  await ann.update(lists, shared, { name: 'renamed' })
  await ann.update(lists, shared, { members: [bob.id] })
  await socket.until(() => socket.events().length === 4)
  expect(await received(socket, { event: `${task}.updated` })).toEqual([
    `left ${one.id}`,
    `left ${other.id}`,
    `updated ${one.id}`,
    `updated ${other.id}`,
  ])
})

test('only the last frame of a change completes it, so that a client cut off in between gets all of it again', async () => {
  const { lists, tasks, list } = await model()
  const { id: shared } = await list([bob])
  for (const title of ['a', 'b', 'c']) await ann.create(tasks, { title, list: shared })
  await using socket = await subscribe(bob, tasks)
  const before = cursorOf(socket)
  await ann.update(lists, shared, { members: [] })
  await socket.until(() => socket.events().length === 3)
  const cursors = socket.events().map(({ cursor }) => cursor)
  expect(cursors.slice(0, 2)).toEqual([before, before])
  await using again = await subscribe(bob, tasks, { after: before })
  await again.until(() => again.events().length === 3)
  await using complete = await subscribe(bob, tasks, { after: cursors[2] ?? '' })
  await complete.settled()
  expect(complete.events()).toEqual([])
})

test('records follow when the rule changes', async () => {
  const { tasks, task, list, setRule } = await model()
  const { id: own } = await list()
  const hidden = await ann.create(tasks, { title: 'hidden', list: own })
  const owned = await bob.create(tasks, { title: 'owned', list: null })
  await using socket = await subscribe(bob, tasks)
  await setRule('auth.id == record.owner_id')
  expect(await received(socket, { event: `${task}.updated` })).toEqual([`updated ${owned.id}`])
  await setRule('auth.id != record.owner_id')
  await socket.until(() => socket.events().length === 3)
  expect((await received(socket, { event: `${task}.left` })).slice(1).sort()).toEqual(
    [`left ${owned.id}`, `updated ${hidden.id}`].sort(),
  )
})

test('after a change of the rule nothing is delivered under the former one', async () => {
  const { tasks, list, setRule } = await model({ read: 'true' })
  await using socket = await subscribe(bob, tasks)
  await setRule(null)
  await ann.create(tasks, { title: 'a secret', list: (await list()).id })
  await skep.settled()
  await socket.settled()
  expect(socket.events()).toEqual([])
})

test('a change of fields makes subscribers list again', async () => {
  const { tasks } = await model({ read: 'true' })
  await using socket = await subscribe(bob, tasks)
  await skep.define({
    name: tasks,
    singular: `${tasks}_one`,
    schema: { type: 'object', properties: { label: { type: ['string', 'null'] } } },
    rules: { read: 'true', ...ANYONE },
  })
  await socket.sees({ type: 'subscribed', topic: tasks, gap: true })
})

test('records arrive when a user becomes an admin, and leave when they no longer are', async () => {
  const { tasks, task, list } = await model()
  const dora = await skep.member()
  const { id } = await ann.create(tasks, { title: 'sweep', list: (await list()).id })
  await using socket = await subscribe(dora, tasks)
  await dora.setRole('admin')
  await socket.sees({ event: `${task}.updated` })
  await dora.setRole('user')
  expect(await received(socket, { event: `${task}.left` })).toEqual([`updated ${id}`, `left ${id}`])
})

test('a record that has moved away from a list leaves those who lost the list, although both happen at once', async () => {
  const { lists, tasks, task, list } = await model()
  const [{ id: shared }, { id: own }] = [await list([bob]), await list()]
  const { id } = await ann.create(tasks, { title: 'sweep', list: shared })
  await using socket = await subscribe(bob, tasks)
  await ann.batch([
    { collection: lists, op: 'update', id: shared, patch: { members: [] }, expected: null },
    { collection: tasks, op: 'update', id, patch: { list: own, title: 'a secret' }, expected: null },
  ])
  expect(await received(socket, { event: `${task}.left` })).toEqual([`left ${id}`])
})

test('nobody sees a state between the changes of one transaction', async () => {
  const { lists, tasks, list } = await model()
  const { id: shared } = await list([bob])
  const { id } = await ann.create(tasks, { title: 'sweep', list: shared })
  await using socket = await subscribe(bob, tasks)
  await ann.batch([
    { collection: tasks, op: 'update', id, patch: { title: 'a secret' }, expected: null },
    { collection: lists, op: 'update', id: shared, patch: { members: [] }, expected: null },
  ])
  await skep.settled()
  await socket.settled()
  expect(socket.texts.join('')).not.toContain('a secret')
  expect(socket.events().map(({ data }) => data?.id)).toEqual([id])
})

test('records that are deleted with the record that they refer to are reported as deleted', async () => {
  const { lists, tasks, task, list } = await model()
  const { id: shared } = await list([bob])
  const { id } = await ann.create(tasks, { title: 'sweep', list: shared })
  await using socket = await subscribe(bob, tasks)
  const cursor = cursorOf(socket)
  await ann.remove(lists, shared)
  expect(await received(socket, { event: `${task}.deleted` })).toEqual([`deleted ${id}`])
  await using resumed = await subscribe(bob, tasks, { after: cursor })
  expect(await received(resumed, { event: `${task}.deleted` })).toEqual([`deleted ${id}`])
})

test('records whose reference is cleared leave those who could read them by it', async () => {
  const { lists, tasks, task, list } = await model({ onDelete: 'clear' })
  const { id: shared } = await list([bob])
  const { id } = await ann.create(tasks, { title: 'sweep', list: shared })
  await using socket = await subscribe(bob, tasks)
  const cursor = cursorOf(socket)
  await ann.remove(lists, shared)
  expect(await received(socket, { event: `${task}.left` })).toEqual([`left ${id}`])
  await using resumed = await subscribe(bob, tasks, { after: cursor })
  expect(await received(resumed, { event: `${task}.left` })).toEqual([`left ${id}`])
})

test('a client that resumes gets what it would have got', async () => {
  const { lists, tasks, task, list } = await model()
  const [{ id: shared }, { id: own }] = [await list([bob]), await list()]
  const { id: moved } = await ann.create(tasks, { title: 'moved', list: shared })
  await using socket = await subscribe(bob, tasks, { filter: '!done' })
  const cursor = cursorOf(socket)
  const { id: added } = await ann.create(tasks, { title: 'added', list: shared })
  await ann.update(tasks, added, { done: true })
  await ann.update(tasks, moved, { list: own })
  await ann.update(tasks, added, { done: false })
  await ann.update(lists, own, { members: [bob.id] })
  const wanted = [`created ${added}`, `left ${added}`, `left ${moved}`, `updated ${added}`, `updated ${moved}`]
  await socket.until(() => socket.events().length === wanted.length)
  expect(await received(socket, { event: `${task}.updated` })).toEqual(wanted)
  await using resumed = await subscribe(bob, tasks, { filter: '!done', after: cursor })
  await resumed.until(() => resumed.events().length === wanted.length)
  expect(await received(resumed, { event: `${task}.updated` })).toEqual(wanted)
  expect(resumed.frames.find(({ ref }) => ref === 'this')?.gap).toBe(false)
})

test('a client that resumes sees only what it may read today', async () => {
  const { lists, tasks, task, list } = await model()
  const { id: shared } = await list([bob])
  const { id } = await ann.create(tasks, { title: 'sweep', list: shared })
  await using socket = await subscribe(bob, tasks)
  const cursor = cursorOf(socket)
  await ann.update(tasks, id, { title: 'a secret' })
  await ann.update(lists, shared, { members: [] })
  await skep.settled()
  await using resumed = await subscribe(bob, tasks, { after: cursor })
  expect(await received(resumed, { event: `${task}.left` })).toEqual([`left ${id}`])
  expect(resumed.texts.join('')).not.toContain('a secret')
})

test('a client that resumes after the rule or its role has changed lists again', async () => {
  const { tasks, setRule } = await model()
  const dora = await skep.member()
  await using socket = await subscribe(dora, tasks)
  await setRule('true')
  await using redefined = await subscribe(dora, tasks, { after: cursorOf(socket) })
  expect(redefined.frames.find(({ ref }) => ref === 'this')).toMatchObject({ type: 'subscribed', gap: true })
  await using before = await subscribe(dora, tasks)
  const cursor = cursorOf(before)
  await dora.setRole('admin')
  await using promoted = await subscribe(dora, tasks, { after: cursor })
  expect(promoted.frames.find(({ ref }) => ref === 'this')).toMatchObject({ type: 'subscribed', gap: true })
})

test('the topic of one record follows it out of sight and back', async () => {
  const { lists, tasks, task, list } = await model()
  const { id: shared } = await list([bob])
  const { id } = await ann.create(tasks, { title: 'sweep', list: shared })
  await using socket = await subscribe(bob, `${tasks}/${id}`)
  await ann.create(tasks, { title: 'another', list: shared })
  await ann.update(lists, shared, { members: [] })
  await ann.update(lists, shared, { members: [bob.id] })
  expect(await received(socket, { event: `${task}.updated` })).toEqual([`left ${id}`, `updated ${id}`])
})

test('a filter narrows the topic of one record', async () => {
  const { tasks, list } = await model()
  const { id } = await ann.create(tasks, { title: 'sweep', list: (await list([bob])).id })
  await using socket = await subscribe(bob, `${tasks}/${id}`, { filter: '!done' })
  await ann.update(tasks, id, { done: true })
  await ann.update(tasks, id, { title: 'sweep again' })
  await ann.update(tasks, id, { done: false })
  await socket.until(() => socket.events().length === 2)
  expect(socket.events().map(({ event }) => event?.split('.')[1])).toEqual(['left', 'updated'])
})

test('a record that may not be read cannot be subscribed to', async () => {
  const { tasks, list } = await model()
  const { id } = await ann.create(tasks, { title: 'sweep', list: (await list()).id })
  await using socket = await subscribe(bob, `${tasks}/${id}`)
  await socket.sees({ type: 'error', ref: 'this', code: 'not_found' })
})

test('the topic of a deleted collection ends', async () => {
  const { tasks } = await model()
  await using socket = await subscribe(bob, tasks)
  await skep.drop(tasks)
  await socket.sees({ type: 'error', code: 'not_found' })
  await socket.sees({ type: 'unsubscribed', topic: tasks })
})

test('a filter that cannot be used is refused with the position of its fault', async () => {
  const { tasks } = await model()
  for (const filter of ['done &&', 'nothing == 1', 'list.name == "a" && now > timestamp("2026-01-01T00:00:00Z")']) {
    await using socket = await subscribe(bob, tasks, { filter })
    const refused = await socket.sees({ ref: 'this' })
    expect(refused).toMatchObject({ type: 'error', code: 'validation_failed' })
    expect(refused.detail).toMatch(/at position \d+/)
  }
})

test('a subscription ends with the position of the fault when a new definition makes its filter invalid', async () => {
  const name = `words${++count}`
  const define = (...fields: readonly string[]) =>
    skep.define({
      ...{ name, singular: `word${count}`, rules: { read: 'true', ...ANYONE } },
      schema: { type: 'object', properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])) },
    })
  await define('text', 'note')
  await using socket = await subscribe(bob, name, { filter: 'text == "" || note == "a"' })
  await define('text')
  const ended = await socket.sees({ type: 'error', code: 'validation_failed' })
  expect(ended.detail).toMatch(/^The filter cannot be used: .+, at position 14$/)
  await socket.sees({ type: 'unsubscribed', topic: name })
})

test.each(['', ' \n'])('the filter %j matches every record, as in lists', async (filter) => {
  const { tasks, task, setRule } = await model({ read: 'true' })
  await using socket = await subscribe(bob, tasks, { filter })
  const { id } = await ann.create(tasks, { title: 'sweep' })
  expect(await received(socket, { event: `${task}.created` })).toEqual([`created ${id}`])
  await setRule('record.title != "dust"')
  await ann.create(tasks, { title: 'mop' })
  await socket.until(() => socket.events().length === 2)
})

test('a filter narrows the topics of a collection defined in code', async () => {
  await using socket = await subscribe(carl, 'items', { filter: 'title.startsWith("a")' })
  const item = await carl.create('items', { title: 'b' })
  await carl.update('items', item.id, { title: 'bb' })
  await carl.update('items', item.id, { title: 'ab' })
  await carl.update('items', item.id, { title: 'c' })
  await ann.create('items', { title: 'a' })
  expect(await received(socket, { event: 'item.left' })).toEqual([`updated ${item.id}`, `left ${item.id}`])
})

test('a frame is encoded once for all who get the same answer', async () => {
  const { tasks, task } = await model({ read: 'auth != null' })
  const sockets = await Promise.all([ann, bob, carl, admin, ann].map((member) => subscribe(member, tasks)))
  const { id } = await ann.create(tasks, { title: 'sweep' })
  for (const socket of sockets) await socket.sees({ event: `${task}.created` })
  const encoded = skep.encoded.filter((name) => name === `${tasks}/${id}`)
  expect(encoded).toEqual([`${tasks}/${id}`])
  for (const socket of sockets) await socket[Symbol.asyncDispose]()
})
