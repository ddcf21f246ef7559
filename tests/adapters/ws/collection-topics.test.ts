import { expect, test } from 'bun:test'
import { ANYONE, received, startLiveLists, subscribe } from '../../support/live-lists.ts'

const { skep, ann, bob, carl, model } = await startLiveLists()

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
  const name = 'words'
  const define = (...fields: readonly string[]) =>
    skep.define({
      ...{ name, singular: 'word', rules: { read: 'true', ...ANYONE } },
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
