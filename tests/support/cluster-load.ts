import { ItemShape, readAll } from '../durability/ask.ts'
import { compareLog, createFollower, type Follower } from '../durability/follow.ts'
import { recover } from '../durability/recover.ts'
import { checkJobEvents } from '../durability/whole.ts'
import { type Answer, callAt, type Fields } from './call.ts'
import type { Cluster } from './cluster.ts'
import { acknowledge } from './load/acknowledge.ts'
import { type Actor, createActor } from './load/actor.ts'
import { type Attempt, nextAttempt } from './load/attempt.ts'
import type { Random } from './load/random.ts'
import { send } from './load/send.ts'
import type { ReceivedEvent } from './load/subscriber.ts'
import { until } from './until.ts'

const ACTORS_COUNT = 10
const WRITERS_COUNT = 8
const WRITER_FOLLOWERS_COUNT = 3
const PAUSE_MS = 20
/** Acknowledged writes before and after what happens in the midst of the load. */
const MIN_WRITES_COUNT = 600
const PASSWORD = 'correct horse battery'
const LOAD_PROFILE = { items: 30, files: 4, churn: 0, fileSize: 50_000 } as const

export interface Report {
  readonly requests: number
  readonly writes: number
  readonly events: number
  readonly registered: number
  /** Requests that were refused with 503 or lost their connection. */
  readonly refused: number
  /** Milliseconds from when the service was back to the last refusal, or to when every process had written. */
  readonly healing: number
}

export interface Load {
  /** All that was wrong since the beginning. */
  readonly findings: readonly string[]
  /**
   * Works while `disturb` does what it does, which resolves when what it took away is back, and nothing of what it
   * broke is under way any more. Then compares all there is with all that was acknowledged.
   */
  during(disturb: () => Promise<void>): Promise<Report>
}

/** Nothing of it is done, as is sure of reads. */
const READS: readonly Attempt['kind'][] = ['list', 'search', 'download']

/** Whether the answer means: not now. Anything else it may mean is for the caller to decide. */
const isRefusal = (answer: Answer<unknown>): boolean => answer.status === 503 && answer.headers.has('retry-after')

let loads = 0

const withoutEpochs = (received: readonly ReceivedEvent[]) => received.map(({ cursor: _, ...rest }) => rest)

/**
 * A mixed load from all sides: actors that do everything there is, writers that repeat each write under its key until
 * it is acknowledged, somebody who registers one user after the other, and sockets that follow the changes of all of
 * them and resume by cursor wherever they get to. Its users are new ones, and what was wrong before it began does not
 * count.
 */
export const startLoad = async (cluster: Cluster, random: Random, adminToken: string): Promise<Load> => {
  const run = ++loads
  const earlier = new Set(cluster.letters())
  const findings: string[] = []
  const complain = (what: string) => void findings.push(what)
  const randomServerUrl = () => random.pick(cluster.running()).url

  const member = async (name: string) => {
    const email = `${name}@example.com`
    await cluster.call('POST', '/users/', { json: { email, name, password: PASSWORD } })
    return signedIn(email)
  }
  const signedIn = async (email: string) => {
    const form = { username: email, password: PASSWORD }
    const { body } = await cluster.call<{ access_token: string }>('POST', '/auth/token', { form })
    return body.access_token
  }

  const writerToken = await member(`writer${run}`)
  const slots = Array.from({ length: ACTORS_COUNT }, (_, n) => ({
    actor: createActor(`actor${n}x${run}x`, random.fork()),
    follower: createFollower('items', complain),
  }))
  const ends = createFollower('jobs', complain)
  const readers = Array.from({ length: WRITER_FOLLOWERS_COUNT }, () => createFollower('items', complain))
  const written = new Map<string, number>()
  const registered: string[] = [`writer${run}@example.com`]
  let serials = 0

  const during = async (disturb: () => Promise<void>): Promise<Report> => {
    const before = { written: written.size, registered: registered.length, events: eventsReceived() }
    const calm = Promise.withResolvers<void>()
    let requests = 0
    let writes = 0
    let refused = 0
    let disturbed = false
    let lastRefusal = 0
    let working = true

    const asked = async <T>(what: string, request: (url: string) => Promise<Answer<T>>): Promise<Answer<T> | null> => {
      requests++
      try {
        const answer = await cluster.balanced(request)
        if (answer.status < 500) return answer
        if (isRefusal(answer)) refuse(what, 'refused')
        else complain(`${what} was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
        return answer
      } catch (error) {
        refuse(what, String(error))
        return null
      }
    }
    const refuse = (what: string, why: string) => {
      refused++
      lastRefusal = performance.now()
      if (!disturbed) complain(`${what}: ${why}, though nothing has happened yet`)
    }

    const doNext = async (actor: Actor): Promise<void> => {
      const attempt = nextAttempt(actor, LOAD_PROFILE)
      const at = Date.now()
      actor.pending = { attempt, at }
      const reply = await asked(`${actor.tag}: ${attempt.kind}`, (url) => send(url, actor, attempt))
      if (reply !== null && !isRefusal(reply)) {
        actor.pending = null
        const problem = acknowledge(actor, attempt, reply, at)
        if (problem !== null) complain(`${actor.tag}: ${attempt.kind} ${problem}`)
        else if (!READS.includes(attempt.kind)) writes++
        return
      }
      const isOverload = (reply?.body as Fields | undefined)?.code === 'overloaded'
      if (READS.includes(attempt.kind) || isOverload) {
        actor.pending = null
        await Bun.sleep(PAUSE_MS)
        return
      }
      // Nobody knows whether it was done: that can be seen when nothing of it is under way any more.
      await calm.promise
      await recover(actor, { url: randomServerUrl(), complain })
    }
    const live = async (actor: Actor) => {
      while (working) await doNext(actor)
    }

    /** Sends the same until it is acknowledged. */
    const retryUntilAnswered = async <T>(
      what: string,
      request: (url: string) => Promise<Answer<T>>,
      accepted: readonly number[],
    ) => {
      for (;;) {
        const answer = await asked(what, request)
        if (answer !== null && accepted.includes(answer.status)) return answer
        const inProgress = answer?.status === 409
        if (answer !== null && !isRefusal(answer) && !inProgress) {
          complain(`${what} was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
          return null
        }
        await Bun.sleep(PAUSE_MS)
      }
    }
    const write = async () => {
      while (working) {
        const title = `write ${++serials}`
        const call = { token: writerToken, json: { title }, headers: { 'idempotency-key': title.replace(' ', '-') } }
        const answer = await retryUntilAnswered(
          title,
          (url) => callAt<{ id: number }>(url, 'POST', '/items/', call),
          [201],
        )
        if (answer === null) return
        written.set(title, answer.body.id)
        writes++
      }
    }
    const register = async () => {
      while (working) {
        const email = `person${run}x${++serials}@example.com`
        const json = { email, name: 'Ann', password: PASSWORD }
        // Taken, when an attempt that got no answer had made it.
        const answer = await retryUntilAnswered(
          `registering ${email}`,
          (url) => callAt(url, 'POST', '/users/', { json }),
          [201, 400],
        )
        if (answer === null) return
        registered.push(email)
        writes++
      }
    }
    const hasEnoughWrites = () => {
      const wanted = writes + MIN_WRITES_COUNT
      return until(() => writes >= wanted || findings.length > 0)
    }

    const following = [
      ...slots.map(({ actor, follower }) => follower.follow(randomServerUrl, () => actor.session?.accessToken ?? null)),
      ...readers.map((reader) => reader.follow(randomServerUrl, () => writerToken)),
      ends.follow(randomServerUrl, () => adminToken),
    ]
    const load = [...slots.map(({ actor }) => live(actor)), ...Array.from({ length: WRITERS_COUNT }, write), register()]
    let back = 0
    let healed = 0
    try {
      await hasEnoughWrites()
      disturbed = true
      await disturb()
      back = performance.now()
      await Promise.all(cluster.running().map(({ url }) => untilWritten(url)))
      healed = performance.now()
      calm.resolve()
      await hasEnoughWrites()
    } finally {
      working = false
      calm.resolve()
      for (const follower of followers()) follower.stop()
    }
    await Promise.all(load)
    await Promise.all(following)
    await compare()
    const healing = Math.max(healed, lastRefusal) - back
    const events = eventsReceived() - before.events
    return { requests, writes, refused, healing, events, registered: registered.length - before.registered }
  }

  const followers = (): readonly Follower[] => [...slots.map(({ follower }) => follower), ...readers, ends]
  const eventsReceived = () => followers().reduce((sum, { received }) => sum + received.length, 0)

  /** Waits until this process can write again. */
  const untilWritten = async (url: string) => {
    const title = `probe ${++serials}`
    const call = { token: writerToken, json: { title }, headers: { 'idempotency-key': title.replace(' ', '-') } }
    await until(async () => {
      const { status, body } = await callAt<{ id: number }>(url, 'POST', '/items/', call)
      if (status === 201) written.set(title, body.id)
      else if (status !== 503) complain(`${title} was answered ${status}`)
      return status === 201
    })
  }

  /** What there is, and what was told of it, beside what was acknowledged. */
  const compare = async (): Promise<void> => {
    for (const { actor, follower } of slots) {
      await recover(actor, { url: randomServerUrl(), complain })
      await follower.catchUp(randomServerUrl(), actor.session?.accessToken ?? '', actor.world.log.length)
      const wrong = compareLog(actor.world.log, follower.received)
      if (wrong !== null) complain(`${actor.tag}: ${wrong}`)
    }
    const items = await readAll(randomServerUrl(), '/items/', writerToken, ItemShape)
    const found = items.map(({ title, id }) => `${title}: ${id}`).sort()
    const known = [...written].map(([title, id]) => `${title}: ${id}`).sort()
    if (!Bun.deepEquals(found, known)) {
      const lost = known.filter((one) => !found.includes(one))
      const strange = found.filter((one) => !known.includes(one))
      complain(`of the writers' items ${lost} are lost; ${strange} were never acknowledged`)
    }
    const ids = [...written.values()].sort((a, b) => a - b)
    for (const reader of readers) {
      await reader.catchUp(randomServerUrl(), writerToken, written.size)
      const received = reader.received.map(({ id }) => id)
      if (
        !Bun.deepEquals(
          received.toSorted((a, b) => a - b),
          ids,
        )
      ) {
        complain(
          `a reader received ${received.length} events, ${new Set(received).size} of them different, of ${ids.length}`,
        )
      }
      // A restart of the database renews the epoch of cursors, and one may have received an event before and one after it.
      if (!Bun.deepEquals(withoutEpochs(reader.received), withoutEpochs(readers[0]?.received ?? [])))
        complain('two readers received different things')
    }
    const addresses = [...registered, ...slots.map(({ actor }) => actor.email)]
    await until(() => {
      const welcomed = new Set(cluster.letters().map(({ to }) => to))
      return addresses.every((address) => welcomed.has(address))
    })
    const mails = new Set<string>()
    for (const letter of cluster.letters()) {
      const { id, to } = letter
      if (earlier.has(letter)) continue
      if (mails.has(id)) complain(`mail ${id} went to ${to} twice`)
      mails.add(id)
    }
    await ends.catchUp(randomServerUrl(), adminToken, 0)
    checkJobEvents(ends.received, complain)
  }

  return { findings, during }
}
