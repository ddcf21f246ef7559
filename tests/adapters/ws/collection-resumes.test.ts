import { expect, test } from 'bun:test'
import { cursorOf, received, startLiveLists, subscribe } from '../../support/live-lists.ts'

const { skep, ann, bob, model } = await startLiveLists()

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
