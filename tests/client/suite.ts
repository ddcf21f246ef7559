import type { Client, ClientOptions, Live, SkepStorage } from '../../client/src/index.ts'
import { createClient, filter, isSkepError, memoryStorage, SkepError } from '../../client/src/index.ts'
import type { Collections, Task } from './collections.ts'

/** Where the suite runs, which is any platform: nothing here may need more than the client does. */
export interface Place {
  readonly url: string
  readonly WebSocket?: ClientOptions['WebSocket']
}

type Skep = Client<Collections>

export const check = (condition: boolean, message: string): void => {
  if (!condition) throw new Error(message)
}

export const equal = (actual: unknown, expected: unknown): void => {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (one !== other) throw new Error(`got ${one}, expected ${other}`)
}

/** What a call is refused with. */
export const refusal = async (work: Promise<unknown>): Promise<SkepError> => {
  try {
    await work
  } catch (error) {
    if (error instanceof SkepError) return error
    throw error
  }
  throw new Error('it was not refused')
}

const DEADLINE_MS = 10_000

/** Resolves once the list holds what is expected. */
export const until = <T>(live: Live<T>, holds: (records: readonly T[]) => boolean): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop()
      reject(new Error(`${live.status}: ${JSON.stringify(live.getSnapshot())}`))
    }, DEADLINE_MS)
    let stop = () => {}
    stop = live.subscribe((records) => {
      if (!holds(records)) return
      clearTimeout(timer)
      queueMicrotask(() => stop())
      resolve()
    })
  })

let people = 0

/** A client of somebody new who is signed in. */
export const person = async (place: Place, storage: SkepStorage = memoryStorage()) => {
  const client: Skep = createClient<Collections>({ ...place, storage, maxReconnectDelayMs: 200 })
  const name = `p${++people}-${Math.random().toString(36).slice(2)}`
  const account = { email: `${name}@example.com`, name, password: 'correct horse' }
  const { id } = await client.auth.signUp(account)
  await client.auth.signIn(account)
  return { id, client, account, tasks: client.collection('tasks'), lists: client.collection('lists') }
}

const titles = (records: readonly Task[]) => records.map(({ title }) => title)

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const auth: Record<string, (place: Place) => Promise<void>> = {
  async 'a session is told to listeners, kept in the storage and gone after signing out'(place) {
    const storage = memoryStorage()
    const { client, id, account } = await person(place, storage)
    const seen: (number | null)[] = []
    client.auth.onAuthChange((session) => seen.push(session?.userId ?? null))
    const again = createClient<Collections>({ ...place, storage })
    equal((await again.auth.session())?.userId, id)
    equal((await again.call<{ email: string }>('GET', '/users/me')).email, account.email)
    await client.auth.signOut()
    equal(await client.auth.session(), null)
    equal(seen, [id, null])
    equal((await refusal(client.files.list())).code, 'unauthenticated')
    client.close()
    again.close()
  },
  async 'a wrong password and a taken address have codes of their own'(place) {
    const { client, account } = await person(place)
    const error = await refusal(client.auth.signIn({ ...account, password: 'wrong horse' }))
    equal([error.code, error.status], ['invalid_grant', 400])
    check(error.requestId !== '', 'the error names the request')
    equal((await refusal(client.auth.signUp(account))).code, 'email_taken')
    client.close()
  },
  async 'refreshing replaces the tokens, and clients of one storage refresh once'(place) {
    const storage = memoryStorage()
    const { client } = await person(place, storage)
    const before = await client.auth.session()
    const others = Array.from({ length: 5 }, () => createClient<Collections>({ ...place, storage }))
    const sessions = await Promise.all(others.map((other) => other.auth.session()))
    equal(new Set(sessions.map((session) => session?.accessToken)).size, 1)
    const after = await Promise.all(others.map((other) => other.auth.refresh()))
    equal(new Set(after.map(({ accessToken }) => accessToken)).size, 1)
    check(after[0]?.accessToken !== before?.accessToken, 'there is a new token')
    for (const each of [client, ...others]) each.close()
  },
  async 'a token that the server rejects is renewed, and the call succeeds'(place) {
    const values = memoryStorage()
    const { client } = await person(place, values)
    const key = `skep:${place.url}`
    const stored = JSON.parse((await values.getItem(key)) ?? '')
    await values.setItem(key, JSON.stringify({ ...stored, access: `${stored.access}x` }))
    const other = createClient<Collections>({ ...place, storage: values })
    check((await other.call<{ id: number }>('GET', '/users/me')).id > 0, 'it is answered')
    client.close()
    other.close()
  },
}

const records: Record<string, (place: Place) => Promise<void>> = {
  async 'a record is created, read, changed and deleted'(place) {
    const { client, tasks } = await person(place)
    const task = await tasks.create({ title: 'Milk' })
    equal((await tasks.get(task.id)).title, 'Milk')
    equal((await tasks.update(task.id, { done: true })).done, true)
    equal((await tasks.update(task.id, { rank: 3 }, { version: 2 })).version, 3)
    await tasks.delete(task.id, { version: 3 })
    equal((await refusal(tasks.get(task.id))).code, 'not_found')
    client.close()
  },
  async 'with a key of its own, a call that is made again later has the result of the first'(place) {
    const { client, tasks } = await person(place)
    const options = { idempotencyKey: 'a-key-of-the-page' }
    const first = await tasks.create({ title: 'Milk' }, options)
    equal(await tasks.create({ title: 'Milk' }, options), first)
    const batch = () => client.batch([{ collection: 'tasks', op: 'create', title: 'Bread' }], options)
    equal(await batch(), await batch())
    equal((await tasks.list()).total, 2)
    client.close()
  },
  async 'a change of another version is refused, and narrows by its code'(place) {
    const { client, tasks } = await person(place)
    const task = await tasks.create({ title: 'Milk' })
    await tasks.update(task.id, { done: true })
    const error: unknown = await refusal(tasks.update(task.id, { title: 'Oat' }, { version: task.version }))
    check(isSkepError(error, 'version_mismatch', 'not_found'), 'it is one of these')
    check(!isSkepError(error, 'not_found'), 'it is not the other')
    equal((await refusal(tasks.delete(task.id, { version: 1 }))).code, 'version_mismatch')
    const invalid = await refusal(tasks.update(task.id, { title: '' }, { version: 2 }))
    equal([invalid.code, invalid.errors[0]?.pointer], ['validation_failed', '/title'])
    client.close()
  },
  async 'a list is filtered, sorted, counted, searched and expanded'(place) {
    const { client, tasks, lists } = await person(place)
    const { id: list } = await lists.create({ name: 'Groceries' })
    for (const title of ['Milk', 'Bread', 'Salt']) await tasks.create({ title, list, done: title === 'Salt' })
    const page = await tasks.list({ filter: '!done', sort: 'title', expand: ['list'], size: 1 })
    equal([titles(page.items), page.total], [['Bread'], 2])
    equal(page.items[0]?.expanded?.list?.name, 'Groceries')
    equal(titles((await tasks.list({ q: 'mil' })).items), ['Milk'])
    const next = await tasks.list({ filter: '!done', sort: 'title', size: 1, cursor: page.next_cursor ?? '' })
    equal(titles(next.items), ['Milk'])
    client.close()
  },
  async 'iteration reads every page, and stops where the loop does'(place) {
    const { client, tasks } = await person(place)
    const wanted = Array.from(
      { length: 7 },
      (_, rank) => ({ collection: 'tasks', op: 'create', title: `t${rank}`, rank }) as const,
    )
    await client.batch(wanted)
    const ranks: (number | undefined)[] = []
    for await (const { rank } of tasks.all({ sort: 'rank', size: 3 })) ranks.push(rank)
    equal(ranks, [0, 1, 2, 3, 4, 5, 6])
    for await (const { rank } of tasks.all({ sort: 'rank', size: 3 })) if (rank === 1) break
    client.close()
  },
  async 'a filter quotes what it is given'(place) {
    const { client, tasks } = await person(place)
    const hostile = '" || true || title == "\\\n\u2028'
    await tasks.create({ title: hostile, due_at: '2020-01-01T00:00:00.000Z', rank: -1 })
    await tasks.create({ title: 'Other', rank: 2 })
    equal((await tasks.list({ filter: filter`title == ${hostile}` })).total, 1)
    equal((await tasks.list({ filter: filter`title in ${['Other', hostile]} && rank > ${-2}` })).total, 2)
    equal((await tasks.list({ filter: filter`due_at < ${new Date()} && done == ${false}` })).total, 1)
    client.close()
  },
  async 'a batch takes effect as a whole or not at all'(place) {
    const { client, tasks } = await person(place)
    const [milk, none] = await client.batch([
      { collection: 'tasks', op: 'create', title: 'Milk' },
      { collection: 'lists', op: 'create', name: 'Groceries' },
    ])
    equal([milk.title, none.name], ['Milk', 'Groceries'])
    const error = await refusal(
      client.batch([
        { collection: 'tasks', op: 'delete', id: milk.id },
        { collection: 'tasks', op: 'create', title: '' },
      ]),
    )
    equal([error.code, error.index], ['validation_failed', 1])
    equal((await tasks.list()).total, 1)
    client.close()
  },
  async 'a call ends with its signal'(place) {
    const { client, tasks } = await person(place)
    const controller = new AbortController()
    const calls = [
      refusal(tasks.list({ signal: controller.signal })),
      refusal(tasks.create({ title: 'x' }, { signal: controller.signal })),
    ]
    controller.abort()
    equal(
      (await Promise.all(calls)).map(({ code }) => code),
      ['aborted', 'aborted'],
    )
    equal((await refusal(tasks.list({ signal: AbortSignal.abort() }))).code, 'aborted')
    client.close()
  },
  async 'a server that cannot be reached is a network error'() {
    const client = createClient({ url: 'http://127.0.0.1:9', storage: memoryStorage() })
    const { code, status } = await refusal(client.collection('tasks').list())
    equal([code, status], ['network_error', 0])
    client.close()
  },
  async 'a file is uploaded, downloaded, linked and deleted'(place) {
    const { client } = await person(place)
    const bytes = Uint8Array.from(atob(PNG), (c) => c.charCodeAt(0))
    const progress: number[] = []
    const file = await client.files.upload(new Blob([bytes]), {
      filename: 'dot.png',
      onProgress: (sentBytes, totalBytes) => progress.push(sentBytes / totalBytes),
    })
    equal([file.filename, file.size, progress.at(-1)], ['dot.png', bytes.length, 1])
    equal((await (await client.files.download(file.id)).arrayBuffer()).byteLength, bytes.length)
    const link = await client.files.link(file.id, { expiresInSeconds: 60 })
    equal((await fetch(link.url)).status, 200)
    equal((await client.files.links(file.id)).items.length, 1)
    await client.files.unlink(file.id, link.id)
    equal((await client.files.list()).items.length, 1)
    await client.files.delete(file.id)
    equal((await refusal(client.files.get(file.id))).code, 'not_found')
    client.close()
  },
}

const realtime: Record<string, (place: Place) => Promise<void>> = {
  async 'closing the client closes its live lists, also one that is being read'(place) {
    const { client, tasks } = await person(place)
    const list = tasks.live()
    client.close()
    equal(list.status, 'closed')
  },
  async 'a subscription receives changes in order, and resumes after its last cursor'(place) {
    const { client, tasks } = await person(place)
    const seen: string[] = []
    const cursors: string[] = []
    let look = () => {}
    const wait = (count: number) =>
      new Promise<void>((resolve) => {
        look = () => seen.length >= count && resolve()
        look()
      })
    const onEvent = ({ type, cursor, data }: { type: string; cursor: string; data: { id: number } }) => {
      seen.push(`${type} ${data.id}`)
      cursors.push(cursor)
      look()
    }
    let stop = () => {}
    await new Promise<unknown>((onSubscribed) => {
      stop = client.subscribe('tasks', { filter: '!done', onEvent, onSubscribed })
    })
    const { id } = await tasks.create({ title: 'Milk' })
    await tasks.update(id, { rank: 1 })
    await wait(2)
    stop()
    await tasks.update(id, { done: true })
    client.subscribe('tasks', { filter: '!done', after: cursors.at(-1) ?? '', onEvent })
    await wait(3)
    equal(seen, [`created ${id}`, `updated ${id}`, `left ${id}`])
    client.close()
  },
  async 'a filter that is refused ends a subscription and a live list with its error'(place) {
    const { client, tasks } = await person(place)
    const error = await new Promise<SkepError>((onError) => {
      client.subscribe('tasks', { filter: 'nothing == 1', onEvent: () => {}, onError })
    })
    equal(error.code, 'validation_failed')
    const live = tasks.live({ filter: 'nothing == 1' })
    await until(live, () => live.status === 'error')
    equal(live.error?.code, 'validation_failed')
    client.close()
  },
  async 'a live list follows what its owner and others do, with one snapshot until something changes'(place) {
    const [ann, bob] = [await person(place), await person(place)]
    const { id: list } = await ann.lists.create({ name: 'Groceries', members: [bob.id] })
    await ann.tasks.create({ title: 'Milk', list })
    const live = bob.tasks.live({ filter: filter`list == ${list} && !done`, sort: 'title' })
    await until(live, (tasks) => tasks.length === 1)
    const snapshot = live.getSnapshot()
    check(snapshot === live.getSnapshot(), 'the snapshot is stable')
    const bread = await ann.tasks.create({ title: 'Bread', list })
    await until(live, (tasks) => titles(tasks).join() === 'Bread,Milk')
    equal(live.status, 'live')
    await bob.tasks.update(bread.id, { title: 'Rye' })
    await until(live, (tasks) => titles(tasks).join() === 'Milk,Rye')
    await ann.tasks.update(bread.id, { done: true })
    await until(live, (tasks) => titles(tasks).join() === 'Milk')
    await ann.lists.update(list, { members: [] })
    await until(live, (tasks) => tasks.length === 0)
    await ann.lists.update(list, { members: [bob.id] })
    await until(live, (tasks) => titles(tasks).join() === 'Milk')
    live.close()
    equal(live.status, 'closed')
    ann.client.close()
    bob.client.close()
  },
  async 'two live lists of one collection have filters of their own'(place) {
    const { client, tasks } = await person(place)
    const [open, done] = [tasks.live({ filter: '!done' }), tasks.live({ filter: 'done' })]
    const { id } = await tasks.create({ title: 'Milk' })
    await until(open, (records) => records.length === 1)
    await tasks.update(id, { done: true })
    await until(done, (records) => records.length === 1)
    await until(open, (records) => records.length === 0)
    client.close()
  },
  async 'a limited live list has the first records, and takes the next when one leaves'(place) {
    const { client, tasks } = await person(place)
    for (const rank of [1, 2, 3, 4]) await tasks.create({ title: `t${rank}`, rank })
    const live = tasks.live({ sort: 'rank', limit: 3 })
    const shows = (...ranks: number[]) =>
      until(live, (records) => records.map(({ rank }) => rank).join() === ranks.join())
    await shows(1, 2, 3)
    const first = live.getSnapshot()[0]
    await tasks.create({ title: 'zero', rank: 0 })
    await shows(0, 1, 2)
    await tasks.delete(first?.id ?? 0)
    await shows(0, 2, 3)
    await tasks.update(live.getSnapshot()[0]?.id ?? 0, { rank: 9 })
    await shows(2, 3, 4)
    client.close()
  },
  async 'a live list is empty after signing out, and is of whoever signs in next'(place) {
    const [ann, bob] = [await person(place), await person(place)]
    await ann.tasks.create({ title: "Ann's" })
    await bob.tasks.create({ title: "Bob's" })
    const live = ann.tasks.live()
    await until(live, (records) => records.length === 1)
    await ann.client.auth.signOut()
    await until(live, (records) => records.length === 0 && live.status === 'offline')
    await ann.client.auth.signIn(bob.account)
    await until(live, (records) => titles(records).join() === "Bob's")
    ann.client.close()
    bob.client.close()
  },
}

/** What the client does on every platform, by the titles of tests. */
export const SUITE: Readonly<Record<string, (place: Place) => Promise<void>>> = { ...auth, ...records, ...realtime }
