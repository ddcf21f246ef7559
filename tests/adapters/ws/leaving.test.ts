import { afterAll, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { type Calls, callsOf, type RecordBody } from '../../support/shopping.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { openSocket, type TestSocket } from '../../support/socket.ts'
import { openStoreOf } from '../../support/stack.ts'
import { upload } from '../../support/uploads.ts'

const mailbox = createMailbox()
const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: mailbox })
const root = await createFirstAdmin(skep)
const admin = callsOf(skep, root)
const store = await openStoreOf(skep.dataDir)
afterAll(() => store.close())

const ANYONE = { read: 'true', create: 'auth != null', update: 'auth != null', delete: 'auth != null' }
const reference = (to: string, onDelete = 'clear') => ({
  type: ['integer', 'null'],
  'x-ref': to,
  'x-on-delete': onDelete,
})

let count = 0

/** A collection for one test: the names of its topic and of its records. */
const collection = async (properties: object, rules: object = {}) => {
  const [name, singular] = [`notes${++count}`, `note${count}`]
  const definition = { singular, schema: { type: 'object', properties }, rules: { ...ANYONE, ...rules } }
  expect((await admin.define(name, definition)).status).toBe(201)
  return { name, singular, definition }
}

interface Scene {
  readonly name: string
  /** If it is not the name of the collection. */
  readonly topic?: string
  readonly filter?: string
  readonly reader: Member
}

const subscribe = async ({ name, topic = name, filter, reader }: Scene, after?: string): Promise<TestSocket> => {
  const socket = await openSocket(skep.url, { token: reader.token })
  socket.send({ type: 'subscribe', topic, ref: 'this', ...(filter && { filter }), ...(after && { after }) })
  await socket.sees({ type: 'subscribed', ref: 'this' })
  return socket
}

const listedBy = async ({ name, filter, reader }: Scene): Promise<readonly number[]> =>
  (await callsOf(skep, reader).list(name, filter === undefined ? {} : { filter })).body.items.map(({ id }) => id)

/** What a subscriber is told by a change, who has listed the one record and has learned nothing more of it. */
const toldBy = async (scene: Scene, change: () => Promise<{ readonly status: number }>) => {
  const before = await listedBy(scene)
  await using socket = await subscribe(scene)
  expect((await change()).status).toBeWithin(200, 300)
  await socket.until(() => socket.events().length > 0)
  await using resumed = await subscribe(scene, socket.frames.find(({ ref }) => ref === 'this')?.cursor)
  await resumed.until(() => resumed.events().length > 0 || resumed.frames.some(({ gap }) => gap === true))
  const [live, replayed] = [socket, resumed].map(({ events }) => events().map(({ event, data }) => [event, data?.id]))
  return { before, after: await listedBy(scene), live, replayed, resumed }
}

const created = async (by: Calls, name: string, json: object): Promise<RecordBody> => {
  const { status, body } = await by.create(name, json)
  expect(status).toBe(201)
  return body
}

test('a record leaves when the name of a user that its rule reads changes', async () => {
  const [ann, reader] = [await skep.member(), await skep.member()]
  const { name, singular } = await collection({ by: reference('users') }, { read: 'record.by.name == "Ann"' })
  const { id } = await created(admin, name, { by: ann.id })
  const told = await toldBy({ name, reader }, () =>
    skep.call('PATCH', '/users/me', { token: ann.token, json: { name: 'Anna' } }),
  )
  expect(told).toMatchObject({ before: [id], after: [], live: [[`${singular}.left`, id]] })
  expect(told.replayed).toEqual(told.live)
})

test.each([
  ['clears its reference to a file, the record leaves', 'clear', 'left'],
  ['deletes it with a file, it is reported as deleted', 'cascade', 'deleted'],
])('when a deletion %s', async (_, onDelete, event) => {
  const [ann, reader] = [await skep.member(), await skep.member()]
  const read = 'record.photo.content_type == "image/png"'
  const { name, singular } = await collection({ photo: reference('files', onDelete) }, { read })
  const { body: photo } = await upload(skep.call, ann)
  const { id } = await created(callsOf(skep, ann), name, { photo: photo.id })
  const told = await toldBy({ name, reader }, () => skep.call('DELETE', `/files/${photo.id}`, { token: ann.token }))
  expect(told).toMatchObject({ before: [id], after: [], live: [[`${singular}.${event}`, id]] })
  expect(told.replayed).toEqual(told.live)
})

test('a record leaves when the item that its rule reads is deleted', async () => {
  const [ann, reader] = [callsOf(skep, await skep.member()), await skep.member()]
  const { name, singular } = await collection({ item: reference('items') }, { read: 'record.item.title == "Oak"' })
  const item = await created(ann, 'items', { title: 'Oak' })
  const { id } = await created(ann, name, { item: item.id })
  const told = await toldBy({ name, reader }, () => ann.call('DELETE', `/items/${item.id}`))
  expect(told).toMatchObject({ before: [id], after: [], live: [[`${singular}.left`, id]] })
  expect(told.replayed).toEqual(told.live)
})

test('when an item changes that a rule reads, and the log no longer has what it was, subscribers list again', async () => {
  const [ann, reader] = [callsOf(skep, await skep.member()), await skep.member()]
  const { name } = await collection({ item: reference('items') }, { read: 'record.item.title == "Oak"' })
  const item = await created(ann, 'items', { title: 'Oak' })
  const { id } = await created(ann, name, { item: item.id })
  expect(await listedBy({ name, reader })).toEqual([id])
  const { last } = await store.read((tx) => tx.events.bounds())
  const removed = async () => (await store.read((tx) => tx.events.bounds())).removed
  while ((await removed()) < last) await store.write((tx) => tx.events.deleteBefore(Number.MAX_SAFE_INTEGER, 1))
  await using socket = await subscribe({ name, reader })
  expect((await ann.call('PATCH', `/items/${item.id}`, { json: { title: 'Ash' } })).status).toBe(200)
  await socket.sees({ type: 'subscribed', topic: name, gap: true })
  expect(await listedBy({ name, reader })).toEqual([])
})

test('a record leaves a filter when the record that the filter reads may no longer be read', async () => {
  const reader = await skep.member()
  const boxes = await collection({ isOpen: { type: 'boolean' } })
  const { name, singular } = await collection({ box: reference(boxes.name) })
  const box = await created(admin, boxes.name, { isOpen: true })
  const { id } = await created(admin, name, { box: box.id })
  const scene = { name, reader, filter: 'box.isOpen' }
  await using socket = await subscribe(scene)
  expect(await listedBy(scene)).toEqual([id])
  await admin.define(boxes.name, { ...boxes.definition, rules: { ...ANYONE, read: null } })
  expect((await socket.sees({ event: `${singular}.left` })).data?.id).toBe(id)
  expect(await listedBy(scene)).toEqual([])
})

test('a record leaves when the address that its rule asks for changes', async () => {
  const reader = await skep.member('zed@example.com')
  const { name, singular } = await collection({}, { read: 'auth.email == "zed@example.com"' })
  const { id } = await created(admin, name, {})
  await using socket = await subscribe({ name, reader })
  const change = { token: root.token, json: { email: 'zoe@example.com' } }
  expect((await skep.call('PATCH', `/users/${reader.id}`, change)).status).toBe(200)
  expect((await socket.sees({ event: `${singular}.left` })).data?.id).toBe(id)
})

test('a record arrives when the address of a reader is verified, if its rule asks for that', async () => {
  const reader = await skep.member()
  const { name, singular } = await collection({}, { read: 'auth.email_verified' })
  const { id } = await created(admin, name, {})
  await using socket = await subscribe({ name, reader })
  const token = tokenIn(await mailbox.next(reader.email))
  expect((await skep.call('POST', '/auth/email/verify', { json: { token } })).status).toBe(204)
  expect((await socket.sees({ event: `${singular}.updated` })).data?.id).toBe(id)
})

/** How many accounts the server has forgotten. */
const forgottenCount = () =>
  skep.log.entries.filter(({ message, fields }) => /job/i.test(message) && fields.kind === 'forget-user').length

/** Follows a topic through the deletion of an account until nothing of that account is listed. */
const followErasure = async (scene: Scene, member: Member) => {
  const before = forgottenCount()
  await using socket = await subscribe(scene)
  const { cursor } = await socket.sees({ ref: 'this' })
  expect((await admin.call('DELETE', `/users/${member.id}`)).status).toBe(204)
  const isTold = ({ frames, events }: TestSocket) =>
    events().some(({ event = '' }) => /\.(left|deleted)$/.test(event)) ||
    frames.some(({ gap, ref }) => gap === true && ref === undefined)
  await socket.until(() => isTold(socket))
  await skep.log.until(() => forgottenCount() > before)
  await using resumed = await subscribe(scene, cursor)
  await resumed.until(() => isTold(resumed) || resumed.frames.some(({ gap }) => gap === true))
  expect(await listedBy(scene)).toEqual([])
}

test.each([
  ['the user', 'users', 'record.of.name == "Ann"'],
  ['a file', 'files', 'record.of.filename == "picture.png"'],
  ['a list', 'lists', 'record.of.title == "Garden"'],
  ['an item', 'items', 'record.of.title == "Garden"'],
] as const)('a record of others leaves when an account is deleted, and its rule reads %s', async (_, kind, read) => {
  const [ann, reader] = [await skep.member(), await skep.member()]
  const lists = await collection({ title: { type: 'string' } })
  const target = kind === 'lists' ? lists.name : kind
  const { name } = await collection({ of: reference(target) }, { read })
  const of =
    kind === 'users'
      ? ann.id
      : kind === 'files'
        ? (await upload(skep.call, ann)).body.id
        : (await created(callsOf(skep, ann), target, { title: 'Garden' })).id
  const { id } = await created(admin, name, { of })
  expect(await listedBy({ name, reader })).toEqual([id])
  await followErasure({ name, reader }, ann)
})

test('an item leaves a filter when the account of its owner is deleted', async () => {
  const ann = await skep.member()
  const scene = { name: 'items', topic: 'items/all', reader: root, filter: 'title == "Rake"' }
  const { id } = await created(callsOf(skep, ann), 'items', { title: 'Rake' })
  expect(await listedBy(scene)).toEqual([id])
  await followErasure(scene, ann)
})
