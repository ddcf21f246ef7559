import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Client, LIBRARIES, type Library, startClient } from '../support/clients.ts'
import { folder, type Server, serve } from '../support/process.ts'
import { positionOf } from '../support/socket.ts'

const PASSWORD = 'correct horse'
const BYTES_PER_KB = 1_024
/** Signing in by frame must be done within this. */
const SIGN_IN_MS = 10_000

const home = folder()
let skep: Server
beforeAll(async () => {
  skep = await serve({ cwd: home.path })
})
afterAll(async () => {
  await skep[Symbol.asyncDispose]()
  home[Symbol.dispose]()
})

let people = 0
const signUp = async () => {
  const email = `client${++people}@example.com`
  const registered = await skep.call<{ id: number }>('POST', '/users/', {
    json: { email, name: 'Ann', password: PASSWORD },
  })
  const form = { username: email, password: PASSWORD }
  const { body } = await skep.call<{ access_token: string }>('POST', '/auth/token', { form })
  return { id: registered.body.id, token: body.access_token }
}
type Person = Awaited<ReturnType<typeof signUp>>

const create = async ({ token }: Person, title: string, more: object = {}) => {
  const { status, body } = await skep.call<{ id: number }>('POST', '/items/', { token, json: { title, ...more } })
  expect(status).toBe(201)
  return body.id
}

const socketUrl = (id: string) => `${skep.url.replace('http', 'ws')}/ws/${id}`

/** Opens a connection that is signed in by header, and subscribes it to its own items. */
const connect = async (client: Client, { token }: Person, after?: unknown) => {
  client.act('open', { url: socketUrl('client'), headers: { Authorization: `Bearer ${token}` } })
  await client.receives({ type: 'ready' })
  client.send({ type: 'subscribe', topic: 'items', ...(after === undefined ? {} : { after }) })
  await client.receives({ type: 'subscribed', topic: 'items' })
}

const titleOf = (event: Readonly<Record<string, unknown>>) => (event.data as { title: string }).title

/** Receives an event while the work is done, and another one after it: each exactly once, on one connection. */
const withNeighbour = async (library: Library, work: () => Promise<void>) => {
  const person = await signUp()
  await using neighbour = startClient(library)
  await connect(neighbour, person)
  await create(person, 'before')
  await work()
  await create(person, 'after')
  await neighbour.receives({ event: 'item.created', data: { title: 'after' } })
  expect(
    neighbour
      .frames()
      .filter(({ type }) => type === 'event')
      .map(titleOf),
  ).toEqual(['before', 'after'])
  expect(neighbour.observations.filter(({ saw }) => saw === 'close')).toEqual([])
}

const closeOf = async (client: Client) => (await client.untilObserved(({ saw }) => saw === 'close')).code

describe.each([...LIBRARIES])('$name', (library) => {
  const check = test.skipIf(library.missing)

  /** Someone signed in and subscribed does something; how the connection then ends, if it does. */
  const ends = (work: (client: Client) => Promise<unknown>) =>
    withNeighbour(library, async () => {
      const person = await signUp()
      await using client = startClient(library)
      await connect(client, person)
      await work(client)
    })

  check('signs in by header, subscribes and receives events', async () => {
    const person = await signUp()
    await using client = startClient(library)
    client.act('open', { url: socketUrl('by-header'), headers: { Authorization: `Bearer ${person.token}` } })
    expect(await client.receives({ type: 'ready' })).toEqual({
      type: 'ready',
      client_id: 'by-header',
      user_id: person.id,
      expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      cursor: expect.stringMatching(/^[0-9a-z]+\.\d+$/),
    })
    client.send({ type: 'subscribe', topic: 'items', ref: 'first' })
    const subscribed = await client.receives({ type: 'subscribed' })
    expect(subscribed).toMatchObject({ topic: 'items', gap: false, ref: 'first' })
    const id = await create(person, 'Größe 🐝')
    const event = await client.receives({ type: 'event' })
    const { body } = await skep.call('GET', `/items/${id}`, { token: person.token })
    expect(event).toEqual({
      type: 'event',
      topic: 'items',
      cursor: expect.stringMatching(/^[0-9a-z]+\.\d+$/),
      event: 'item.created',
      data: body,
    })
    expect(positionOf(String(event.cursor))).toBeGreaterThan(positionOf(String(subscribed.cursor)))
    client.act('close')
    await closeOf(client)
  })

  check('signs in by a first frame', async () => {
    const { token, id } = await signUp()
    await using client = startClient(library)
    client.act('open', { url: socketUrl('by-frame') })
    await client.untilObserved(({ saw }) => saw === 'open')
    client.send({ type: 'auth', token, ref: 'me' })
    expect(await client.receives({ type: 'ready' })).toMatchObject({ client_id: 'by-frame', user_id: id, ref: 'me' })
    client.send({ type: 'ping' })
    await client.receives({ type: 'pong' })
  })

  check('is not let in with a wrong token', async () => {
    await using client = startClient(library)
    client.act('open', { url: socketUrl('wrong') })
    await client.untilObserved(({ saw }) => saw === 'open')
    client.send({ type: 'auth', token: 'no such token' })
    expect(await closeOf(client)).toBe(4401)
  })

  check('gets its text back when it is no JSON object, whole or in fragments', () =>
    ends(async (client) => {
      client.act('text', { text: 'hello' })
      await client.untilObserved(({ text }) => text === 'Message received: hello')
      client.act('fragments', { parts: ['hel', 'lo ', 'fragments'] })
      await client.untilObserved(({ text }) => text === 'Message received: hello fragments')
      client.act('fragments', { parts: ['{"type":', '"ping",', '"ref":"1"}'] })
      expect(await client.receives({ type: 'pong' })).toEqual({ type: 'pong', ref: '1' })
    }),
  )

  check('has its pings answered', () =>
    ends(async (client) => {
      client.act('ping', { text: 'are you there' })
      await client.untilObserved(({ saw, text }) => saw === 'pong' && text === 'are you there')
    }),
  )

  check('gets an error for a binary frame, and stays connected', () =>
    ends(async (client) => {
      client.act('binary', { size: 16 })
      expect(await client.receives({ type: 'error' })).toMatchObject({
        code: expect.stringMatching(/^[a-z_]+$/),
        detail: expect.any(String),
      })
      client.send({ type: 'ping' })
      await client.receives({ type: 'pong' })
    }),
  )

  check('may send 64 kB, and is closed with 1009 for more, in one frame or in fragments', () =>
    ends(async (client) => {
      const text = 'x'.repeat(64 * BYTES_PER_KB)
      client.act('text', { text })
      await client.untilObserved((sight) => sight.text === `Message received: ${text}`)
      client.act('text', { text: `${text}x` })
      expect(await closeOf(client)).toBe(1009)

      await using other = startClient(library)
      await connect(other, await signUp())
      other.act('fragments', { parts: Array.from({ length: 9 }, () => 'x'.repeat(8 * BYTES_PER_KB)) })
      expect(await closeOf(other)).toBe(1009)
    }),
  )

  check('is closed with 1007 for invalid UTF-8', () =>
    ends(async (client) => {
      client.act('invalid')
      expect(await closeOf(client)).toBe(1007)
    }),
  )

  check('is closed with 4429 for a flood', () =>
    ends(async (client) => {
      client.act('flood', { text: '{"type":"ping"}', times: 1_000 })
      expect(await closeOf(client)).toBe(4429)
      const pongs = client.frames().filter(({ type }) => type === 'pong').length
      // The subscription was a frame too.
      expect(pongs).toBeLessThan(100)
      expect(pongs).toBeGreaterThan(50)
    }),
  )

  check(
    'is closed with 4401 when it says nothing for 10 s, and stays when it is signed in and says nothing',
    () =>
      ends(async (client) => {
        await using silent = startClient(library)
        silent.act('open', { url: socketUrl('silent') })
        await silent.untilObserved(({ saw }) => saw === 'open')
        const from = performance.now()
        expect(await closeOf(silent)).toBe(4401)
        expect(performance.now() - from).toBeWithin(SIGN_IN_MS - 1_500, SIGN_IN_MS + 5_000)
        expect(client.observations.filter(({ saw }) => saw === 'close')).toEqual([])
      }),
    60_000,
  )

  check(
    'that stops reading is closed with 4408 and resumes without a loss',
    () =>
      withNeighbour(library, async () => {
        const person = await signUp()
        await using client = startClient(library)
        await connect(client, person)
        client.signal('SIGSTOP')
        // More than the kernel keeps for it, and 1 MiB.
        const large = { description: '€'.repeat(10_000), data: { filler: 'x'.repeat(15 * BYTES_PER_KB) } }
        const titles = Array.from({ length: 400 }, (_, index) => `item ${index}`)
        for (let index = 0; index < titles.length; index += 20) {
          const operations = titles.slice(index, index + 20).map((title) => ({ op: 'create', title, ...large }))
          const answer = await skep.call('POST', '/items/batch', { token: person.token, json: { operations } })
          expect(answer.status).toBe(200)
        }
        client.signal('SIGCONT')
        expect(await closeOf(client)).toBe(4408)
        const seen = client.frames().filter(({ type }) => type === 'event')
        expect(seen.length).toBeLessThan(titles.length)

        await using again = startClient(library)
        await connect(again, person, seen.at(-1)?.cursor)
        await again.receives({ type: 'event', data: { title: titles.at(-1) } })
        const all = [...seen, ...again.frames().filter(({ type }) => type === 'event')]
        expect(all.map(titleOf)).toEqual(titles)
      }),
    90_000,
  )
})
