import { callAt } from '../support/call.ts'
import { type Actor, act, createActor } from '../support/load/actor.ts'
import type { LoadProfile } from '../support/load/attempt.ts'
import { createRandom, type Random } from '../support/load/random.ts'
import { run, type Server, serve, spawn } from '../support/process.ts'
import { compareLog, createFollower, type Follower } from './follow.ts'
import { type Effect, recover, tryRepeat, tryTheft } from './recover.ts'
import { storageOf } from './storage.ts'
import {
  checkEvents,
  checkJobEvents,
  checkMails,
  checkSearch,
  checkSweep,
  checkTotals,
  expectedEvents,
  settleJobs,
  type Whole,
} from './whole.ts'

export interface Plan {
  readonly rounds: number
  readonly seed: number
  /** Empty; everything stays in it. */
  readonly folder: string
  /** Settings of the server, for another database or blob store than its own. They must be empty, too. */
  readonly settings: Readonly<Record<string, string>>
  progress(text: string): void
}

export interface RunResult {
  readonly findings: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}

const ACTORS_COUNT = 24
const ADMIN = { email: 'root@example.com', password: 'correct horse battery' }
const BUSY_PAUSE_MS = 50

interface Slot {
  actor: Actor
  follower: Follower
  /** How many actors had this place before. */
  readonly before: number
}

const loadProfileOf = (round: number): LoadProfile => ({
  items: 12 + 4 * round,
  files: 4 + round / 3,
  churn: 1,
  fileSize: 400_000,
})

/** Runs at most so many at a time. */
const forEachConcurrently = async <T>(
  list: readonly T[],
  concurrency: number,
  work: (one: T) => Promise<void>,
): Promise<void> => {
  const left = list.values()
  const worker = async () => {
    for (const one of left) await work(one)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

export const runRounds = async ({ rounds, seed, folder, settings, progress }: Plan): Promise<RunResult> => {
  const random: Random = createRandom(seed)
  const findings: string[] = []
  const counts: Record<string, number> = {}
  const count = (name: string, by = 1) => {
    counts[name] = (counts[name] ?? 0) + by
  }
  let round = 0
  const complain = (what: string) => {
    findings.push(`round ${round}: ${what}`)
    progress(`  ${what}`)
  }
  const options = { cwd: folder, env: { LOG_LEVEL: 'warn', LOG_FORMAT: 'json', ...settings } }

  const newSlot = (index: number, before: number): Slot => ({
    actor: createActor(`a${index}g${before}x`, random.fork()),
    follower: createFollower('items', complain),
    before,
  })
  const slots = Array.from({ length: ACTORS_COUNT }, (_, index) => newSlot(index, 0))
  const departed: Actor[] = []
  const everything = createFollower('items/all', complain)
  const ends = createFollower('jobs', complain)

  const replace = (index: number) => {
    const slot = slots[index]
    if (slot === undefined) return
    slot.follower.stop()
    departed.push(slot.actor)
    slots[index] = newSlot(index, slot.before + 1)
    count('users gone')
  }

  /** Load until the server is killed. */
  const loadAndKill = async (server: Server, adminToken: string): Promise<void> => {
    let killed = false
    const following: Promise<void>[] = []
    const follow = (slot: Slot) =>
      following.push(
        slot.follower.follow(
          () => server.url,
          () => slot.actor.session?.accessToken ?? null,
        ),
      )
    const stage = { url: server.url, profile: loadProfileOf(round), complain }
    const live = async (index: number) => {
      for (const slot of slots.slice(index, index + 1)) follow(slot)
      while (!killed) {
        const actor = slots[index]?.actor
        if (actor === undefined) return
        try {
          const { kind, refused } = await act(actor, stage)
          count(refused ? 'refused for now' : 'acknowledged')
          if (refused) await Bun.sleep(BUSY_PAUSE_MS)
          else count(`ack ${kind}`)
        } catch (error) {
          if (!killed) complain(`${actor.tag}: no answer, though the server runs: ${error}`)
          return
        }
        if (!actor.gone) continue
        replace(index)
        for (const slot of slots.slice(index, index + 1)) follow(slot)
      }
    }
    following.push(
      everything.follow(
        () => server.url,
        () => adminToken,
      ),
    )
    following.push(
      ends.follow(
        () => server.url,
        () => adminToken,
      ),
    )
    const living = slots.map((_, index) => live(index))
    await Bun.sleep(random.integer(1_500, 4_500))
    killed = true
    server.signal('SIGKILL')
    const { stdout } = await server.exit()
    for (const line of stdout.split('\n')) if (line.includes('"level":"error"')) complain(`the log says ${line}`)
    await Promise.all(living)
    for (const { follower } of slots) follower.stop()
    everything.stop()
    ends.stop()
    await Promise.all(following)
  }

  /** Now and then the server is killed while it recovers. */
  const disturbStart = async (): Promise<void> => {
    while (random.chance(0.3)) {
      const server = spawn(['serve', '--port', '0'], options)
      await Bun.sleep(random.integer(20, 400))
      server.signal('SIGKILL')
      await server.exit()
      count('kills while starting')
    }
  }

  const signInAdmin = async (url: string): Promise<string> => {
    const form = { username: ADMIN.email, password: ADMIN.password }
    const { body } = await callAt<Record<string, unknown>>(url, 'POST', '/auth/token', { form })
    return String(body.access_token)
  }

  const check = async (server: Server, token: string): Promise<void> => {
    const { url } = server
    const recovery = { url, complain }
    const storage = storageOf(server.dataDir, settings)
    const effects: Record<Effect, number> = { done: 0, undone: 0, unknown: 0 }
    // First those whose time runs: a refresh that was not answered has ten seconds.
    const urgent = slots.toSorted((a, b) => Number(isRefresh(b.actor)) - Number(isRefresh(a.actor)))
    await forEachConcurrently(urgent, 8, async ({ actor }) => {
      const open = actor.pending !== null
      const effect = await recover(actor, recovery)
      if (open) effects[effect]++
    })
    for (const [name, number] of Object.entries(effects)) count(`unanswered ${name}`, number)
    for (const [index, { actor }] of slots.entries()) if (actor.gone) replace(index)
    const signedIn = slots.filter(({ actor }) => actor.session !== null)
    for (const { actor } of signedIn.slice(0, 4)) if (await tryRepeat(actor, recovery)) count('spent tokens repeated')
    for (const { actor } of signedIn.slice(-4)) if (await tryTheft(actor, recovery)) count('spent tokens stolen')

    const whole: Whole = { url, token, actors: slots.map(({ actor }) => actor), departed, complain }
    await settleJobs(whole)
    await checkTotals(whole)
    await checkSearch(whole)
    if (storage.blobs !== null) {
      const swept = await checkSweep(whole, storage.blobs)
      count('blobs without a row swept', swept.whole)
      count('cut uploads swept', swept.parts)
    }
    await forEachConcurrently(signedIn, 8, async ({ actor, follower }) => {
      if (actor.session === null) return
      await follower.catchUp(url, actor.session.accessToken, actor.world.log.length)
      const wrong = compareLog(actor.world.log, follower.received)
      if (wrong !== null) complain(`${actor.tag}: ${wrong}`)
    })
    await everything.catchUp(url, token, expectedEvents(whole))
    checkEvents(whole, everything.received)
    await ends.catchUp(url, token, 0)
    checkJobEvents(ends.received, complain)
    checkMails(whole, storage.mails())
    counts.events = everything.received.length
    counts.users = 1 + slots.filter(({ actor }) => actor.id !== null).length
    counts.items = slots.reduce((sum, { actor }) => sum + actor.world.items.size, 0)
    counts.files = slots.reduce((sum, { actor }) => sum + actor.world.files.size, 0)
    counts.mails = storage.mails().length
  }

  const made = await run(['admin', 'create', ADMIN.email, '--password-stdin'], {
    ...options,
    stdin: `${ADMIN.password}\n`,
  })
  if (made.code !== 0) throw new Error(`admin create: ${made.stderr}`)

  let server = await serve(options)
  try {
    let token = await signInAdmin(server.url)
    while (round++ < rounds) {
      const began = performance.now()
      await loadAndKill(server, token)
      const integrity = storageOf(server.dataDir, settings).integrity?.() ?? 'ok'
      if (integrity !== 'ok') complain(`the database says: ${integrity}`)
      await disturbStart()
      server = await serve(options)
      token = await signInAdmin(server.url)
      const loaded = performance.now()
      await check(server, token)
      const seconds = (milliseconds: number) => (milliseconds / 1_000).toFixed(1)
      const times = `${seconds(loaded - began)} s of load, ${seconds(performance.now() - loaded)} s of checks`
      progress(`round ${round} of ${rounds}: ${times}, ${counts.events} events, ${findings.length} findings`)
      if (findings.length > 0) break
    }
    server.signal('SIGTERM')
    const { code } = await server.exit()
    if (code !== 0) complain(`SIGTERM at the end gave ${code}`)
  } catch (error) {
    complain(error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    await server[Symbol.asyncDispose]()
  }
  return { findings, counts }
}

const isRefresh = ({ pending }: Actor): boolean => pending?.attempt.kind === 'refresh'
