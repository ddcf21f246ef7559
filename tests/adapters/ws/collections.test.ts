import { expect, test } from 'bun:test'
import { ANYONE, cursorOf, received, startLiveLists, subscribe } from '../../support/live-lists.ts'

const { skep, admin, ann, bob, carl, model } = await startLiveLists()

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

test('a frame is encoded once for all who get the same answer', async () => {
  const { tasks, task } = await model({ read: 'auth != null' })
  const sockets = await Promise.all([ann, bob, carl, admin, ann].map((member) => subscribe(member, tasks)))
  // A subscription that is still catching up has its events encoded for itself.
  await ann.create(tasks, { title: 'first' })
  for (const socket of sockets) {
    await socket.sees({ event: `${task}.created` })
    await socket.settled()
  }
  const { id } = await ann.create(tasks, { title: 'sweep' })
  for (const socket of sockets) await socket.until(() => socket.events().length === 2)
  const encoded = skep.encoded.filter((name) => name === `${tasks}/${id}`)
  expect(encoded).toEqual([`${tasks}/${id}`])
  for (const socket of sockets) await socket[Symbol.asyncDispose]()
})
