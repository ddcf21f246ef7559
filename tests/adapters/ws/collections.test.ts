import { expect, test } from 'bun:test'
import { startLiveCollections } from '../../support/live-collections.ts'

const LISTS = {
  name: 'lists',
  schema: {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', maxLength: 100 },
      members: { type: 'array', items: { type: 'integer' }, 'x-ref': 'users', default: [] },
    },
  },
  rules: { read: 'auth.id == record.owner_id || auth.id in record.members', update: 'auth != null' },
}

const MEMBERS = 'auth.id == record.list.owner_id || auth.id in record.list.members'

const TASKS = {
  name: 'tasks',
  schema: {
    type: 'object',
    required: ['title', 'list'],
    properties: {
      title: { type: 'string', maxLength: 100 },
      done: { type: 'boolean', default: false },
      list: { type: 'integer', 'x-ref': 'lists', 'x-on-delete': 'cascade' },
    },
  },
  rules: { read: MEMBERS, create: 'auth != null', update: 'auth != null', delete: 'auth != null' },
}

const skep = await startLiveCollections()
await skep.define(LISTS)
await skep.define(TASKS)
const admin = await skep.member('admin')
const ann = await skep.member()
const bob = await skep.member()

test('a record arrives when it starts to match the filter and leaves when it stops', async () => {
  const list = await ann.create('lists', { name: 'home' })
  await using socket = await ann.open()
  socket.send({ type: 'subscribe', topic: 'tasks', filter: '!done' })
  await socket.sees({ type: 'subscribed', topic: 'tasks' })
  const task = await ann.create('tasks', { title: 'sweep', list: list.id })
  await socket.sees({ event: 'task.created' })
  await ann.update('tasks', task.id, { done: true })
  const left = await socket.sees({ event: 'task.left' })
  expect(left.data).toEqual({ id: task.id } as never)
  await ann.update('tasks', task.id, { done: false })
  const back = await socket.sees({ event: 'task.updated' })
  expect(back.data).toMatchObject({ id: task.id, title: 'sweep', done: false } as never)
})

test('records leave when a member is removed from the list that they refer to', async () => {
  const list = await ann.create('lists', { name: 'shared', members: [bob.id] })
  const task = await ann.create('tasks', { title: 'sweep', list: list.id })
  await using socket = await bob.open()
  await socket.subscribe('tasks')
  await ann.update('lists', list.id, { members: [] })
  const left = await socket.sees({ event: 'task.left' })
  expect(left.data).toEqual({ id: task.id } as never)
  await ann.update('lists', list.id, { members: [bob.id] })
  const back = await socket.sees({ event: 'task.updated' })
  expect(back.data?.id).toBe(task.id)
})
