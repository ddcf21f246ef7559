import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'
import { encodeFrame, OPCODE, openWire, type Wire } from '../../support/wire.ts'

const skep = await startSkep({ MAX_SOCKETS_PER_USER: '30' }, { stallTimeoutMs: 300 })
const admin = await createFirstAdmin(skep)

const create = async ({ token }: Pick<Member, 'token'>, title = 'a title') =>
  (await skep.call<{ id: number }>('POST', '/items/', { token, json: { title } })).body.id
const FILLING = 'x'.repeat(16_000)
const fill = async ({ token }: Pick<Member, 'token'>, count: number) => {
  const operations = Array.from({ length: count }, (_, n) => ({ op: 'create', title: `${n}`, data: { FILLING } }))
  const { status } = await skep.call('POST', '/items/batch', { token, json: { operations } })
  expect(status).toBe(200)
}
const text = (frame: object) =>
  encodeFrame({ opcode: OPCODE.text, payload: new TextEncoder().encode(JSON.stringify(frame)) })
/** The beginning of the log, as a cursor. */
const startOf = (wire: Wire): string => `${/"cursor":"([0-9a-z]+)\./.exec(wire.texts[0] ?? '')?.[1]}.0`

describe('frames of every kind count', () => {
  test.each([
    ['pong', { opcode: OPCODE.pong, payload: new Uint8Array() }],
    ['pong with bytes', { opcode: OPCODE.pong, payload: new Uint8Array(125) }],
    ['ping', { opcode: OPCODE.ping, payload: new Uint8Array() }],
    ['empty text', { opcode: OPCODE.text, payload: new Uint8Array() }],
    ['empty binary', { opcode: OPCODE.binary, payload: new Uint8Array() }],
  ] as const)('the 101st %s within 10 s closes with 4429, 100 do not', async (_, frame) => {
    const { token } = await skep.member()
    await using wire = await openWire(skep.url, { token })
    await wire.received(1)
    for (let n = 0; n < 99; n++) wire.send(encodeFrame(frame))
    wire.send(text({ type: 'ping', ref: 'still here' }))
    await wire.until(() => wire.texts.some((some) => some.includes('still here')))
    wire.send(encodeFrame(frame))
    expect(await wire.ended).toBe(4429)
  })
})

test('MAX_SOCKETS_PER_USER connections of one user, and no more', async () => {
  const { token } = await skep.member()
  const sockets = await Promise.all(Array.from({ length: 30 }, () => openSocket(skep.url, { token })))
  const late = await openSocket(skep.url)
  late.send({ type: 'auth', token })
  expect(await late.closed).toMatchObject({ code: 4429 })
  for (const socket of sockets) await socket[Symbol.asyncDispose]()
  await using again = await openSocket(skep.url, { token })
  await again.settled()
})

describe('a client that reads nothing', () => {
  test('of a replay is closed with 4408', async () => {
    const ann = await skep.member()
    // Beyond what the kernel holds for either side.
    for (let n = 0; n < 10; n++) await fill(ann, 50)
    await using wire = await openWire(skep.url, { token: ann.token })
    await wire.received(1)
    wire.pause()
    wire.send(text({ type: 'subscribe', topic: 'items', after: startOf(wire) }))
    await skep.log.until(({ message, fields }) => message === 'socket closed' && fields.user_id === ann.id)
    wire.resume()
    expect(await wire.ended).toBe(4408)
  })

  test('causes no more reads or memory, however often it begins and ends a replay', async () => {
    const ann = await skep.member()
    for (let n = 0; n < 10; n++) await fill(ann, 50)
    const delivered = async () => {
      const { body } = await skep.call<string>('GET', '//metrics', { token: admin.token })
      return Number(/skep_events_delivered_total\{how="replay"\} (\d+)/.exec(String(body))?.[1] ?? 0)
    }
    await using wire = await openWire(skep.url, { token: ann.token })
    await wire.received(1)
    const before = await delivered()
    wire.pause()
    const after = startOf(wire)
    for (let n = 0; n < 48; n++) {
      wire.send(text({ type: 'subscribe', topic: 'items', after }))
      wire.send(text({ type: 'unsubscribe', topic: 'items' }))
    }
    wire.send(text({ type: 'subscribe', topic: 'items', after }))
    await skep.log.until(({ message, fields }) => message === 'socket closed' && fields.user_id === ann.id)
    // Each of 16 kB: what the kernel holds for both sides, a line of at most 64 kB, and one piece more.
    expect((await delivered()) - before).toBeLessThan(600)
  })

  test('is closed before other connections of the same user have a backlog of 1 MiB each', async () => {
    const ann = await skep.member()
    await using sockets = new AsyncDisposableStack()
    const wires: Wire[] = []
    for (let n = 0; n < 12; n++) {
      const wire = sockets.use(await openWire(skep.url, { token: ann.token }))
      wire.send(text({ type: 'subscribe', topic: 'items' }))
      await wire.received(2)
      wire.pause()
      wires.push(wire)
    }
    const closed = () =>
      skep.log.entries.filter(({ message, fields }) => message === 'socket closed' && fields.user_id === ann.id)
    while (closed().length === 0) await fill(ann, 1)
    await create(ann, 'later')
    expect(closed().map(({ fields }) => fields.code)).toContain(4408)
    expect(closed().length).toBeLessThan(6)
  })
})

describe('a change of', () => {
  const authorized = () => skep.log.entries.filter(({ message }) => message === 'realtime connection reauthorized')

  test('one’s own name reauthorizes nothing', async () => {
    const ann = await skep.member()
    await using socket = await openSocket(skep.url, { token: ann.token })
    await socket.subscribe('items')
    const before = authorized().length
    await skep.call('PATCH', '/users/me', { token: ann.token, json: { name: 'Anna' } })
    await socket.settled()
    expect(authorized().length).toBe(before)
    await create(ann)
    await socket.sees({ event: 'item.created' })
  })

  test('rights reauthorizes admin subscriptions on every socket, and nothing else is lost', async () => {
    const ann = await skep.member()
    const others = await create(await skep.member())
    const own = await Promise.all(Array.from({ length: 40 }, () => create(ann)))
    const change = (role: string) => skep.call('PATCH', `/users/${ann.id}`, { token: admin.token, json: { role } })
    await change('admin')
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(skep.url, { token: ann.token })))
    for (const socket of sockets) {
      for (const id of own) await socket.subscribe(`items/${id}`)
      await socket.subscribe(`items/${others}`)
      await socket.subscribe('items/all')
    }
    const before = authorized().length
    await change('user')
    for (const socket of sockets) {
      await socket.sees({ type: 'unsubscribed', topic: `items/${others}` })
      await socket.sees({ type: 'unsubscribed', topic: 'items/all' })
    }
    const checked = authorized().slice(before)
    expect(checked.map(({ fields }) => fields.subscriptions)).toEqual(sockets.map(() => 2))
    for (const id of own) await skep.call('PATCH', `/items/${id}`, { token: ann.token, json: { title: 'changed' } })
    for (const socket of sockets) {
      await socket.until(() => socket.events().length >= own.length)
      expect(new Set(socket.events().map(({ topic }) => topic)).size).toBe(own.length)
      expect(socket.frames.filter(({ type }) => type === 'unsubscribed')).toHaveLength(2)
      await socket[Symbol.asyncDispose]()
    }
  })
})
