import { expect, test } from 'bun:test'
import { folder, residentMemory, serve } from '../support/process.ts'
import { signIn } from '../support/skep.ts'
import { encodeFrame, OPCODE, openWire } from '../support/wire.ts'

const BYTES_PER_MB = 1_048_576
/** Of one user, by default. */
const SOCKETS_COUNT = 20
/** As many as one connection may send in 10 s. */
const PAIRS_COUNT = 48

const text = (frame: object) =>
  encodeFrame({ opcode: OPCODE.text, payload: new TextEncoder().encode(JSON.stringify(frame)) })

test('unread replays of large events take no memory, however often they begin and end', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  const account = { email: 'ann@example.com', password: 'correct horse' }
  const { body } = await skep.call<{ id: number }>('POST', '/users/', { json: { ...account, name: 'Ann' } })
  const { token } = await signIn(skep.call, { id: body.id, ...account })
  const large = { title: 'large', description: '€'.repeat(10_000), data: { filling: 'x'.repeat(16_000) } }
  const operations = Array.from({ length: 20 }, () => ({ op: 'create', ...large }))
  for (let n = 0; n < 10; n++) {
    expect((await skep.call('POST', '/items/batch', { token, json: { operations } })).status).toBe(200)
  }
  await using wires = new AsyncDisposableStack()
  const opened = []
  for (let n = 0; n < SOCKETS_COUNT; n++) {
    const wire = wires.use(await openWire(skep.url, { token }))
    await wire.received(1)
    wire.pause()
    opened.push(wire)
  }
  const before = residentMemory(skep.pid)
  const epoch = /"cursor":"([0-9a-z]+)\./.exec(opened[0]?.texts[0] ?? '')?.[1]
  for (let n = 0; n < PAIRS_COUNT; n++) {
    for (const wire of opened) wire.send(text({ type: 'subscribe', topic: 'items', after: `${epoch}.0` }))
    // Time for each to be read for, before it ends.
    for (let turn = 0; turn < 5; turn++) expect((await skep.call('GET', '//health')).status).toBe(200)
    for (const wire of opened) wire.send(text({ type: 'unsubscribe', topic: 'items' }))
  }
  expect((await skep.call('GET', '//health')).status).toBe(200)
  expect(residentMemory(skep.pid) - before).toBeLessThan(128 * BYTES_PER_MB)
})
