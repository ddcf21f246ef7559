import { afterAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createFirstAdmin } from '../../support/admin.ts'
import { OF_ITEMS, readEvents } from '../../support/events.ts'
import { runsOf } from '../../support/runs.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { type Frame, openSocket, positionOf, type TestSocket } from '../../support/socket.ts'
import { openStoreOf } from '../../support/stack.ts'

const skep = await startSkep()
const admin = await createFirstAdmin(skep)
const store = await openStoreOf(skep.dataDir)
afterAll(() => store.close())

const people = await Promise.all([skep.member(), skep.member()])
const [ann, bob] = people

/** What the log says that this topic must have sent between two cursors. */
const logged = async (topic: string, after: number, upTo: number) => {
  const events = await readEvents(store, { scope: OF_ITEMS, after })
  return events
    .filter(({ position, ownerId, subjectId }) => {
      if (position > upTo) return false
      if (topic === 'items') return ownerId === ann.id
      return topic === 'items/all' || topic === `items/${subjectId}`
    })
    .map(({ position, event, subjectId, data: { version, title } }) => ({
      position,
      event,
      id: subjectId,
      version: Number(version),
      title: String(title),
    }))
}
const toExpected = ({ cursor, event, data }: Frame) => ({
  position: positionOf(cursor),
  event,
  id: data?.id,
  version: data?.version,
  title: data?.title,
})

interface Target {
  readonly member: Member
  readonly topic: string
}

/** One client that comes and goes, keeps its last cursor and gathers what it receives. */
const createFollower = ({ member, topic }: Target) => {
  const gathered: Frame[] = []
  let from: string | undefined
  let cursor: string | undefined
  let socket: TestSocket | null = null
  let taken = 0
  const take = () => {
    for (const frame of socket?.events().slice(taken) ?? []) {
      gathered.push(frame)
      cursor = frame.cursor ?? cursor
      taken++
    }
  }
  const subscribe = async () => {
    const frame = await socket?.subscribe(topic, cursor)
    if (frame?.gap !== false) throw new Error('a gap')
    cursor ??= frame.cursor
    from ??= cursor
  }
  return {
    gathered,
    from: () => positionOf(from),
    async connect() {
      if (socket !== null) return
      socket = await openSocket(skep.url, { token: member.token })
      taken = 0
      await subscribe()
    },
    /** Leaves as a client does that is cut off: what it has not read is not known to it. */
    async drop() {
      take()
      await socket?.[Symbol.asyncDispose]()
      socket = null
    },
    /** Leaves the topic on the same connection, and comes back. */
    async again() {
      if (socket === null) return
      const ref = crypto.randomUUID()
      socket.send({ type: 'unsubscribe', topic, ref })
      await socket.sees({ type: 'unsubscribed', ref })
      take()
      await subscribe()
    },
    async waitFor(last: number) {
      await socket?.until(() => socket?.events().some((frame) => positionOf(frame.cursor) >= last) ?? false)
      await socket?.settled()
      take()
    },
  }
}

type Step =
  | { readonly step: 'create' | 'update' | 'delete' | 'batch'; readonly by: number; readonly wait: boolean }
  | { readonly step: 'connect' | 'drop' | 'again' | 'promote'; readonly who: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.constantFrom('create', 'update', 'delete', 'batch'),
      by: fc.nat(1),
      wait: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ step: fc.constantFrom('connect', 'drop', 'again', 'promote'), who: fc.nat(2) }),
  },
)

const newItem = async ({ token }: Member) =>
  (await skep.call<{ id: number }>('POST', '/items/', { token, json: { title: 'new' } })).body.id

const write = async (kind: string, member: Member, item: number): Promise<void> => {
  const { token } = member
  if (kind === 'create') await newItem(member)
  else if (kind === 'update')
    await skep.call('PATCH', `/items/${item}`, { token, json: { title: crypto.randomUUID() } })
  else if (kind === 'delete') await skep.call('DELETE', `/items/${await newItem(member)}`, { token })
  else {
    const operations = Array.from({ length: 60 }, (_, n) => ({ op: 'create', title: `${n}` }))
    await skep.call('POST', '/items/batch', { token, json: { operations } })
  }
}

/** Notices reauthorize every subscription, which must neither lose nor repeat anything. */
const resendNotice = async () => {
  for (const role of ['admin', 'user']) {
    await skep.call('PATCH', `/users/${ann.id}`, { token: admin.token, json: { role } })
  }
}

test('each event comes once and in order, however a client comes and goes while others write', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const items = [await newItem(ann), await newItem(bob)] as const
      const targets: Target[] = [
        { member: ann, topic: 'items' },
        { member: ann, topic: `items/${items[0]}` },
        { member: admin, topic: 'items/all' },
      ]
      const followers = targets.map(createFollower)
      await using leaving = new AsyncDisposableStack()
      for (const follower of followers) leaving.defer(follower.drop)
      await Promise.all(followers.map((follower) => follower.connect()))
      const writes: Promise<void>[] = []
      for (const next of steps) {
        if ('by' in next) {
          const writing = write(next.step, next.by === 0 ? ann : bob, next.by === 0 ? items[0] : items[1])
          writes.push(writing)
          if (next.wait) await writing
        } else if (next.step === 'promote') {
          writes.push(resendNotice())
        } else {
          await followers[next.who]?.[next.step]()
        }
      }
      await Promise.all(writes)
      await Promise.all(followers.map((follower) => follower.connect()))
      // The last word on every topic.
      await write('update', ann, items[0])
      const [last] = (await logged('items/all', 0, Number.MAX_SAFE_INTEGER)).slice(-1)
      for (const [index, { topic }] of targets.entries()) {
        const follower = followers[index]
        await follower?.waitFor(last?.position ?? 0)
        expect(follower?.gathered.map(toExpected)).toEqual(
          await logged(topic, follower?.from() ?? 0, Number.MAX_SAFE_INTEGER),
        )
      }
    }),
    { numRuns: runsOf(10, 30), endOnFailure: true },
  )
}, 120_000)
