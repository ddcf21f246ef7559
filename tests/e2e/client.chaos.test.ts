import { expect, test } from 'bun:test'
import { type ChangeEvent, createClient, type Live, memoryStorage, SkepError } from '../../client/src/index.ts'
import { type Collections, DEFINITIONS, type Task } from '../client/collections.ts'
import { freePort } from '../support/port.ts'
import { folder, run, type Server, serve } from '../support/process.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

/** The issue asks for 200; the gate has time for fewer. */
const ROUNDS_COUNT = Number(process.env.CHAOS_ROUNDS ?? 12)
const DEADLINE_MS = 30_000
const WRITES_BEFORE_COUNT = 8
const MAX_TASKS_COUNT = 60
const MAX_GROWTH_BYTES = 16 * 1024 * 1024
const PASSWORD = 'correct horse'

const OWNER_ONLY = { ...DEFINITIONS.tasks, rules: { ...DEFINITIONS.tasks.rules, read: 'auth.id == record.owner_id' } }

const oneOf = <T>(choices: readonly T[]): T | undefined => choices[Math.floor(Math.random() * choices.length)]

/** Connects again soon, so that rounds are short. */
const connectTo = (url: string) =>
  createClient<Collections>({ url, storage: memoryStorage(), maxReconnectDelayMs: 100 })

type Skep = ReturnType<typeof connectTo>

/** Works again until the server is there again. */
const insist = async <T>(work: () => Promise<T>): Promise<T> => {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof SkepError) || (error.status !== 0 && error.status < 500)) throw error
    }
  }
}

const heapBytes = (): number => {
  Bun.gc(true)
  return process.memoryUsage().heapUsed
}

/** A server on a port of its own that can be killed, behind a network that can be cut. */
const startWorld = async (cwd: string) => {
  const env = { PORT: String(freePort()), ACCESS_TOKEN_TTL: '3s' }
  const [email, stdin] = ['root@example.com', PASSWORD]
  const made = await run(['admin', 'create', email, '--password-stdin'], { cwd, stdin })
  if (made.code !== 0) throw new Error(made.stderr)
  let server: Server = await serve({ cwd, env })
  const proxy = await startTcpProxy(server.url)
  const admin = connectTo(server.url)
  await admin.auth.signIn({ email, password: PASSWORD })
  const define = (name: string, json: object) => admin.call('PUT', `/collections/${name}`, { json })
  await define('lists', DEFINITIONS.lists)
  await define('tasks', DEFINITIONS.tasks)
  return {
    url: server.url,
    proxy,
    define,
    async restart() {
      server.signal('SIGKILL')
      await server.exit()
      server = await serve({ cwd, env })
    },
    async [Symbol.asyncDispose]() {
      admin.close()
      await proxy[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

type World = Awaited<ReturnType<typeof startWorld>>

const person = async ({ url, proxy }: World, name: string) => {
  const account = { email: `${name}@example.com`, name, password: PASSWORD }
  // Behind the network that fails, and beside it.
  const [client, outside] = [connectTo(proxy.url), connectTo(url)]
  const { id } = await outside.auth.signUp(account)
  for (const each of [client, outside]) await each.auth.signIn(account)
  return { id, account, client, outside }
}

type Person = Awaited<ReturnType<typeof person>>

const OPTIONS = [
  { sort: 'title' },
  { filter: '!done', limit: 5 },
  { sort: 'rank', limit: 10 },
  { sort: '-updated_at', filter: 'list != null' },
] as const

/** Live lists of a person, each with what the server lists for the same options. */
const follow = ({ client, outside }: Person) =>
  OPTIONS.map((options) => ({
    options,
    live: client.collection('tasks').live(options),
    async fresh() {
      const records: Task[] = []
      const limit = 'limit' in options ? options.limit : Number.POSITIVE_INFINITY
      for await (const record of outside.collection('tasks').all(options)) records.push(record)
      return records.slice(0, limit)
    },
  }))

const settled = async <T>(live: Live<T>, wanted: readonly T[]): Promise<void> => {
  const until = Date.now() + DEADLINE_MS
  while (Date.now() < until && !(live.status === 'live' && Bun.deepEquals(live.getSnapshot(), wanted))) {
    await Bun.sleep(10)
  }
  if (live.status !== 'live') throw new Error(`${live.status}: ${live.error?.code}`)
  expect(live.getSnapshot()).toEqual([...wanted])
}

/** One change by somebody of what they may see. What the network refuses is as good as not tried. */
const write = async (who: Skep, lists: readonly number[]): Promise<void> => {
  const tasks = who.collection('tasks')
  const { items } = await tasks.list({ size: 100, total: false })
  const task = oneOf(items)
  const rank = Math.floor(Math.random() * 8)
  const fields = { title: oneOf(['Milk', 'Bread', 'Äpfel', '🥖', 'z']) ?? '', rank, done: rank > 5 }
  if (task === undefined || (items.length < MAX_TASKS_COUNT && Math.random() < 0.4)) {
    await tasks.create({ ...fields, list: oneOf([...lists, null]) ?? null })
  } else if (items.length >= MAX_TASKS_COUNT || Math.random() < 0.2) await tasks.delete(task.id)
  else await tasks.update(task.id, fields, Math.random() < 0.5 ? { version: task.version } : {})
}

/** Of all tasks that somebody owns, no version comes twice, and between gaps (null) none is missing. */
const expectOnce = (events: readonly (ChangeEvent<Task> | null)[]) => {
  const versions = new Map<number, number>()
  let begun = new Set<number>()
  let hasGap = false
  for (const event of events) {
    if (event === null) {
      begun = new Set()
      hasGap = true
    } else if (event.type === 'created' || event.type === 'updated') {
      const { id, version } = event.data
      const last = versions.get(id) ?? 0
      if (begun.has(id) || !hasGap) expect(version).toBe(last + 1)
      else expect(version).toBeGreaterThan(last)
      versions.set(id, version)
      begun.add(id)
    }
  }
}

test(
  `live lists equal fresh ones after each of ${ROUNDS_COUNT} kills, cuts, expiries and changes of rights`,
  async () => {
    const rejections: unknown[] = []
    const onRejection = (reason: unknown) => rejections.push(reason)
    process.on('unhandledRejection', onRejection)
    using home = folder()
    await using world = await startWorld(home.path)
    const [ann, bob] = [await person(world, 'ann'), await person(world, 'bob')]
    const lists: number[] = []
    for (const name of ['Home', 'Work']) {
      lists.push((await ann.outside.collection('lists').create({ name, members: [bob.id] })).id)
    }
    const followed = [...follow(ann), ...follow(bob)]
    const events: (ChangeEvent<Task> | null)[] = []
    const filter = `owner_id == ${bob.id}`
    await new Promise<unknown>((onSubscribed) => {
      bob.client.subscribe('tasks', {
        filter,
        onSubscribed,
        onEvent: (event) => events.push(event),
        onGap: () => events.push(null),
      })
    })

    const setMembers = (members: number[]) =>
      insist(() => ann.outside.collection('lists').update(oneOf(lists) ?? 0, { members }))
    const disturbances: Readonly<Record<string, () => Promise<unknown>>> = {
      kill: () => world.restart(),
      async cut() {
        world.proxy.cut()
        await Bun.sleep(Math.random() * 100)
        world.proxy.mend()
      },
      // As long as an access token lives.
      expire: () => Bun.sleep(3_000),
      exclude: () => setMembers([]),
      include: () => setMembers([bob.id]),
      restrict: () => insist(() => world.define('tasks', OWNER_ONLY)),
      allow: () => insist(() => world.define('tasks', DEFINITIONS.tasks)),
      async endSession() {
        await insist(() => bob.outside.call('DELETE', '/auth/sessions'))
        for (const each of [bob.outside, bob.client]) await insist(() => each.auth.signIn(bob.account))
      },
    }

    const half = Math.ceil(ROUNDS_COUNT / 2)
    let before = 0
    for (let round = 1; round <= ROUNDS_COUNT; round++) {
      const name = oneOf(Object.keys(disturbances)) ?? ''
      let isOver = false
      const writers = [ann.outside, bob.outside, ann.client, bob.client].map(async (who) => {
        for (let count = 0; !isOver || count < WRITES_BEFORE_COUNT; count++) {
          await write(who, lists).catch((error) => {
            if (!(error instanceof SkepError)) throw error
          })
        }
      })
      await disturbances[name]?.()
      isOver = true
      await Promise.all(writers)
      for (const { live, options, fresh } of followed) {
        try {
          await settled(live, await insist(fresh))
        } catch (error) {
          throw new Error(`round ${round}, after ${name}, ${JSON.stringify(options)}`, { cause: error })
        }
      }
      if (round === half) before = heapBytes()
      if (process.env.CHAOS_ROUNDS !== undefined) console.log(round, name, followed[0]?.live.getSnapshot().length)
    }

    if (process.env.CHAOS_ROUNDS !== undefined) console.log(`${events.length} events, ${heapBytes() - before} bytes`)
    expectOnce(events)
    const grown = heapBytes() - before
    for (const { client, outside } of [ann, bob]) {
      client.close()
      outside.close()
    }
    process.off('unhandledRejection', onRejection)
    expect(rejections).toEqual([])
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
  },
  ROUNDS_COUNT * DEADLINE_MS,
)
