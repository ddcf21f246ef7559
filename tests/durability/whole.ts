import { MAIL_TOKEN_TTL_MS } from '../../src/domain/mail-token.ts'
import { callAt } from '../support/call.ts'
import type { Actor } from '../support/load/actor.ts'
import type { ReceivedEvent } from '../support/load/subscriber.ts'
import { countOf, JobShape, readAll } from './ask.ts'
import { compareLog } from './follow.ts'
import type { BlobFolder, SentMail } from './storage.ts'

/** What there must be, over all actors. */
export interface Whole {
  readonly url: string
  /** Of an admin. */
  readonly token: string
  readonly actors: readonly Actor[]
  /** Those who deleted their accounts. */
  readonly departed: readonly Actor[]
  complain(what: string): void
}

const SETTLE_MS = 60_000
const POLL_MS = 20
/** By how much the time of a file may lag behind. */
const CLOCK_MS = 20
const RECURRING = ['clean-up', 'sweep-blobs']

/** In this order no job that begins meanwhile is missed, whichever thread answers. */
const waiting = async ({ url, token }: Whole) => {
  const queued = await readAll(url, '/admin/jobs?state=queued', token, JobShape)
  return [...queued, ...(await readAll(url, '/admin/jobs?state=running', token, JobShape))]
}

/** Waits until every job that is not there for good is done. */
export const settleJobs = async (whole: Whole): Promise<void> => {
  const deadline = Date.now() + SETTLE_MS
  for (;;) {
    const open = (await waiting(whole)).filter(({ kind }) => !RECURRING.includes(kind))
    if (open.length === 0) break
    if (Date.now() > deadline) {
      whole.complain(`jobs do not come to an end: ${JSON.stringify(open.slice(0, 5))}`)
      break
    }
    await Bun.sleep(POLL_MS)
  }
  const dead = await countOf(whole.url, '/admin/jobs?state=dead', whole.token)
  if (dead > 0) whole.complain(`${dead} jobs are dead`)
}

/** Nobody and nothing is there besides what the actors know. */
export const checkTotals = async (whole: Whole): Promise<void> => {
  const { url, token, actors, complain } = whole
  const sum = (count: (actor: Actor) => number) => actors.reduce((total, actor) => total + count(actor), 0)
  const expected = {
    users: 1 + sum(({ id }) => (id === null ? 0 : 1)),
    items: sum(({ world }) => world.items.size),
    files: sum(({ world }) => world.files.size),
  }
  for (const [name, count] of Object.entries(expected)) {
    const there = await countOf(url, `/${name}/`, token)
    if (there !== count) complain(`there are ${there} ${name} instead of ${count}`)
  }
}

/** The text index has every item and no other. */
export const checkSearch = async ({ url, actors, complain }: Whole): Promise<void> => {
  for (const { tag, world, session } of actors) {
    if (session === null) continue
    const found = await countOf(url, `/items/?q=${tag}`, session.accessToken)
    if (found !== world.items.size) complain(`${tag}: a search finds ${found} of ${world.items.size} items`)
  }
}

export interface Swept {
  /** Bytes that had been written whole and were in no row: the crash came between the two. */
  readonly whole: number
  /** Uploads cut short. */
  readonly parts: number
}

const isPart = (path: string) => path.endsWith('.part')

/** Runs the sweep on blobs made old, and proves that it leaves those that a row names and no others. */
export const checkSweep = async (whole: Whole, blobs: BlobFolder): Promise<Swept> => {
  const { url, token, complain } = whole
  const files = await countOf(url, '/files/', token)
  const before = blobs.list()
  blobs.age()
  const sweepOf = async () => (await waiting(whole)).find(({ kind }) => kind === 'sweep-blobs')
  const sweep = await sweepOf()
  if (sweep === undefined) complain('no sweep is planned')
  else await callAt(url, 'POST', `/admin/jobs/${sweep.id}/retry`, { token })
  const deadline = Date.now() + SETTLE_MS
  while ((await sweepOf())?.id === sweep?.id && Date.now() < deadline) await Bun.sleep(POLL_MS)
  const after = blobs.list()
  if (after.length !== files) complain(`after the sweep there are ${after.length} blobs for ${files} files: ${after}`)
  const parts = before.filter(isPart).length
  return { parts, whole: before.length - parts - files }
}

/** How many events of items there must be by now. */
export const expectedEvents = ({ actors, departed }: Whole): number =>
  actors.reduce((sum, { world }) => sum + world.log.length, 0) +
  departed.reduce((sum, { world }) => sum + world.log.length + world.items.size, 0)

/** Each change there was is in the log once, and nothing else is. */
export const checkEvents = ({ actors, departed, complain }: Whole, received: readonly ReceivedEvent[]): void => {
  const byOwner = Map.groupBy(received, ({ ownerId }) => ownerId)
  for (const actor of actors) {
    const wrong = compareLog(actor.world.log, byOwner.get(actor.id ?? 0) ?? [])
    if (wrong !== null) complain(`${actor.tag} as an admin hears it: ${wrong}`)
  }
  for (const actor of departed) {
    const all = byOwner.get(actor.id ?? 0) ?? []
    const received = new Set(all.map(({ event, id, version }) => `${event} ${id} ${version}`))
    // Leaving erases changes from the log, so a follower that was cut off just before never receives them.
    const log = actor.world.log.filter(
      ({ event, id, version }) => event === 'item.deleted' || received.has(`${event} ${id} ${version}`),
    )
    const wrong = compareLog(log, all.slice(0, log.length))
    if (wrong !== null) complain(`${actor.tag}, who left: ${wrong}`)
    const last = all.slice(log.length)
    const erased = new Set(last.filter(({ event }) => event === 'item.deleted').map(({ id }) => id))
    const { items } = actor.world
    if (last.length !== items.size || [...items.keys()].some((id) => !erased.has(id))) {
      complain(`${actor.tag} left ${items.size} items, of which ${last.length} ends are told`)
    }
  }
  const known = new Set([...actors, ...departed].map(({ id }) => id))
  for (const owner of byOwner.keys()) if (!known.has(owner)) complain(`events of an unknown user ${owner}`)
}

/** A job ends once. */
export const checkJobEvents = (received: readonly ReceivedEvent[], complain: (what: string) => void): void => {
  const ends = new Set<number>()
  for (const { id, event } of received) {
    if (ends.has(id) || event !== 'job.done') complain(`job ${id} ended again, or badly: ${event}`)
    ends.add(id)
  }
}

/** Whoever is registered got a welcome, whoever forgot a password got a way to a new one, and nobody else got mail. */
export const checkMails = ({ actors, departed, complain }: Whole, mails: readonly SentMail[]): void => {
  const byAddress = Map.groupBy(mails, ({ to }) => to)
  const has = (to: string, subject: RegExp, since: number) =>
    byAddress.get(to)?.some((mail) => subject.test(mail.subject) && mail.at >= since - CLOCK_MS) ?? false
  for (const { email, id, tag, forgotAt } of actors) {
    if (id !== null && !has(email, /^Welcome/, 0)) complain(`${tag}: no welcome mail`)
    // Whoever asks again while a link lives, or within a minute, gets no second mail.
    const linkSince = (forgotAt ?? 0) - MAIL_TOKEN_TTL_MS.reset
    if (forgotAt !== null && !has(email, /new password/, linkSince))
      complain(`${tag}: no mail for a forgotten password`)
  }
  const registered = [...actors, ...departed].filter(({ id }) => id !== null)
  const addresses = new Set(registered.map(({ email }) => email))
  for (const to of byAddress.keys()) if (!addresses.has(to)) complain(`a mail went to ${to}, who is nobody`)
}
