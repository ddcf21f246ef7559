import { describe, expect, test } from 'bun:test'
import { startSkep } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'

const skep = await startSkep()

const connected = async (token?: string) => openSocket(skep.url, { token: token ?? (await skep.member()).token })

describe('what a client sends', () => {
  test.each(['hello', '', '42', '"x"', '[1]', 'null', '{', 'ünïcödé ✓', ' {"type":"ping"'])(
    'text that is no JSON object (%p) comes back',
    async (text) => {
      await using socket = await connected()
      socket.send(text)
      await socket.until(() => socket.texts.includes(`Message received: ${text}`))
    },
  )

  test('text is echoed before sign-in too', async () => {
    await using socket = await openSocket(skep.url)
    socket.send('hello')
    await socket.until(() => socket.texts.includes('Message received: hello'))
  })

  test('ping is answered with pong', async () => {
    await using socket = await connected()
    socket.send({ type: 'ping' })
    expect(await socket.sees({ type: 'pong' })).toEqual({ type: 'pong' })
  })

  test('ref is echoed in the direct answer', async () => {
    await using socket = await connected()
    for (const [frame, type] of [
      [{ type: 'ping' }, 'pong'],
      [{ type: 'subscribe', topic: 'items' }, 'subscribed'],
      [{ type: 'unsubscribe', topic: 'items' }, 'unsubscribed'],
      [{ type: 'unsubscribe', topic: 'items' }, 'error'],
      [{ type: 'dance' }, 'error'],
      [{ type: 'subscribe', topic: 'dances' }, 'error'],
    ] as const) {
      const ref = crypto.randomUUID()
      socket.send({ ...frame, ref })
      expect(await socket.sees({ ref })).toMatchObject({ type })
    }
  })

  test('a ref may have 64 characters', async () => {
    await using socket = await connected()
    const ref = 'é'.repeat(64)
    socket.send({ type: 'ping', ref })
    expect(await socket.sees({ ref })).toEqual({ type: 'pong', ref })
  })

  test.each([
    {},
    { type: 'dance' },
    { type: 5 },
    { type: 'toString' },
    { type: 'ping', more: 1 },
    { type: 'ping', ref: 5 },
    { type: 'ping', ref: 'x'.repeat(65) },
    { type: 'auth' },
    { type: 'auth', token: 5 },
    { type: 'subscribe' },
    { type: 'subscribe', topic: 'Users' },
    { type: 'subscribe', topic: 'items/0' },
    { type: 'subscribe', topic: 'items', after: -1 },
    { type: 'subscribe', topic: 'items', after: 1.5 },
    { type: 'subscribe', topic: 'items', after: '1' },
    { type: 'unsubscribe' },
  ])('%j is answered with an error, and the connection stays', async (frame) => {
    await using socket = await connected()
    socket.send(frame)
    expect(await socket.sees({ type: 'error' })).toMatchObject({ code: 'invalid_frame', detail: expect.any(String) })
    await socket.settled()
  })

  test('a binary frame is answered with an error, and the connection stays', async () => {
    await using socket = await connected()
    socket.send(new Uint8Array([1, 2, 3]))
    await socket.sees({ type: 'error', code: 'binary_frame' })
    await socket.settled()
  })

  test('a frame of more than 64 kB closes with 1009, one of 64 kB does not', async () => {
    const socket = await connected()
    const text = 'x'.repeat(64 * 1024)
    socket.send(text)
    await socket.until(() => socket.texts.includes(`Message received: ${text}`))
    socket.send(`${text}x`)
    expect(await socket.closed).toMatchObject({ code: 1009 })
  })

  test('the 101st frame within 10 s closes with 4429', async () => {
    const socket = await connected()
    for (let n = 0; n < 99; n++) socket.send('x')
    await socket.settled()
    socket.send('x')
    expect(await socket.closed).toMatchObject({ code: 4429 })
  })

  test('the frame count restarts after that time', async () => {
    // A millisecond has time for a few round trips, and a hundred take many of them.
    const hasty = await startSkep({}, { socketDurations: { frameWindowMs: 1 } })
    await using socket = await openSocket(hasty.url, { token: (await hasty.member()).token })
    for (let n = 0; n < 101; n++) await socket.settled()
  })
})
