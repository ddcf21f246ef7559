import { isDeepStrictEqual } from 'node:util'
import { Type } from '@sinclair/typebox'
import { callAt } from '../support/call.ts'
import { acknowledge, expectShape, pathOfLink } from '../support/load/acknowledge.ts'
import type { Actor } from '../support/load/actor.ts'
import type { Attempt } from '../support/load/attempt.ts'
import { digestAt, digestOf, send } from '../support/load/send.ts'
import { afterChanges } from '../support/load/world.ts'
import { FileShape, ItemShape, LinkShape, readAll } from './ask.ts'

/** How an attempt that nobody answered came out. */
export type Effect = 'done' | 'undone' | 'unknown'

export interface Recovery {
  readonly url: string
  complain(what: string): void
}

const Named = Type.Object({ name: Type.String() })
const REUSE_GRACE_MS = 10_000
const MARGIN_MS = 1_500

const signIn = async (actor: Actor, { url, complain }: Recovery): Promise<boolean> => {
  const attempt: Attempt = { kind: 'sign-in' }
  for (;;) {
    const reply = await send(url, actor, attempt)
    if (reply.status === 503) {
      await Bun.sleep(100)
      continue
    }
    if (reply.status === 400) return false
    const problem = acknowledge(actor, attempt, reply, Date.now())
    if (problem !== null) complain(`${actor.tag}: sign-in after the crash ${problem}`)
    return problem === null
  }
}

/** Whether the session of the last access token goes on. */
const isAlive = async (actor: Actor, { url }: Recovery): Promise<boolean> => {
  const token = actor.session?.accessToken
  return token !== undefined && (await callAt(url, 'GET', '/users/me', { token })).status === 200
}

/** Exchanges the last refresh token that was given out: the first thing after a crash, for a lost answer has 10 s. */
const refresh = async (actor: Actor, recovery: Recovery, askedAt: number | null): Promise<void> => {
  const { session, tag } = actor
  if (session === null) return
  const attempt: Attempt = { kind: 'refresh', refreshToken: session.refreshToken }
  const reply = await send(recovery.url, actor, attempt)
  const late = askedAt !== null && Date.now() - askedAt > REUSE_GRACE_MS - MARGIN_MS
  if (late && reply.status === 400) {
    actor.session = null
    return
  }
  const problem = acknowledge(actor, attempt, reply, Date.now())
  if (problem === null) return
  recovery.complain(`${tag}: the last refresh token ${problem}`)
  actor.session = null
}

/** Decides an open attempt at the account or the session, and leaves the actor signed in unless it is gone. */
const recoverAccount = async (actor: Actor, recovery: Recovery): Promise<Effect> => {
  const { pending, tag } = actor
  const kind = pending?.attempt.kind ?? null
  if (kind === 'register') {
    // It is known by its address alone; who it is becomes known by signing in.
    const registered = await signIn(actor, recovery)
    if (!registered) return 'undone'
    const token = actor.session?.accessToken
    const { body } = await callAt(recovery.url, 'GET', '/users/me', { token })
    actor.id = expectShape(Type.Object({ id: Type.Number() }), body).id
    return 'done'
  }
  if (actor.id === null) return 'unknown'
  if (kind === 'leave' || kind === 'revoke') {
    const alive = await isAlive(actor, recovery)
    if (!alive) {
      if (actor.session !== null) actor.ended.push(actor.session)
      actor.session = null
      actor.gone = kind === 'leave'
    } else await refresh(actor, recovery, null)
    if (actor.gone) return 'done'
    if (actor.session === null && !(await signIn(actor, recovery))) recovery.complain(`${tag}: cannot sign in any more`)
    return alive ? 'undone' : 'done'
  }
  if (actor.session !== null && !(await isAlive(actor, recovery))) recovery.complain(`${tag}: its session is lost`)
  await refresh(actor, recovery, kind === 'refresh' ? (pending?.at ?? null) : null)
  if (actor.session === null && !(await signIn(actor, recovery))) recovery.complain(`${tag}: cannot sign in any more`)
  return 'unknown'
}

const checkName = async (actor: Actor, { url, complain }: Recovery): Promise<Effect> => {
  const attempt = actor.pending?.attempt
  const { body } = await callAt(url, 'GET', '/users/me', { token: actor.session?.accessToken })
  const { name } = expectShape(Named, body)
  if (attempt?.kind === 'rename' && name === attempt.name) {
    actor.world.name = name
    return 'done'
  }
  if (name !== actor.world.name) complain(`${actor.tag}: is called "${name}" instead of "${actor.world.name}"`)
  return 'undone'
}

const checkItems = async (actor: Actor, { url, complain }: Recovery): Promise<Effect> => {
  const { world, pending, tag, session } = actor
  const listed = await readAll(url, '/items/', session?.accessToken ?? '', ItemShape)
  const seen = new Map(
    listed.map(({ id, title, description, data, version }) => [id, { title, description, data, version }]),
  )
  if (isDeepStrictEqual(seen, world.items)) return 'undone'
  const ids = new Map(listed.map(({ id, title }) => [title, id]))
  const changes = pending?.attempt.kind === 'items' ? pending.attempt.changes : []
  const after = afterChanges(world.items, changes, (title) => ids.get(title) ?? null)
  if (after !== null && isDeepStrictEqual(seen, after.items)) {
    world.items.clear()
    for (const [id, item] of after.items) world.items.set(id, item)
    world.log.push(...after.events)
    return 'done'
  }
  const missing = [...world.items.keys()].filter((id) => !seen.has(id))
  const strange = [...seen.keys()].filter((id) => !world.items.has(id))
  const changed = [...seen.keys()].filter(
    (id) => world.items.has(id) && !isDeepStrictEqual(seen.get(id), world.items.get(id)),
  )
  const open = pending === null ? 'nothing' : JSON.stringify({ ...pending.attempt, content: undefined }).slice(0, 2_000)
  complain(`${tag}: items missing ${missing}; not known ${strange}; different ${changed}; open was ${open}`)
  return 'unknown'
}

const checkFiles = async (actor: Actor, recovery: Recovery): Promise<Effect> => {
  const { world, pending, tag, session } = actor
  const { url, complain } = recovery
  const attempt = pending?.attempt
  const token = session?.accessToken ?? ''
  const listed = await readAll(url, '/files/', token, FileShape)
  let effect: Effect = 'undone'
  const seen = new Set(listed.map(({ id }) => id))
  for (const id of [...world.files.keys()].filter((known) => !seen.has(known))) {
    if (attempt?.kind !== 'remove-file' || attempt.id !== id) complain(`${tag}: file ${id} is missing`)
    else effect = 'done'
    actor.deadFiles.push(id)
    actor.deadLinks.push(...(world.files.get(id)?.links.values() ?? []))
    world.files.delete(id)
  }
  for (const { id, filename, size, sha256 } of listed) {
    const known = world.files.get(id)
    if (known === undefined) {
      const mine = attempt?.kind === 'upload' && attempt.filename === filename ? digestOf(attempt.content) : null
      if (mine !== sha256) complain(`${tag}: file ${id} (${filename}, ${size} bytes) was never asked for`)
      else effect = 'done'
      world.files.set(id, { filename, size, sha256, links: new Map() })
    } else if (known.sha256 !== sha256 || known.size !== size) complain(`${tag}: file ${id} is another`)
    const digest = await digestAt(url, `/api/v1/files/${id}/content`, token)
    if (digest !== sha256) complain(`${tag}: the bytes of file ${id} are ${digest === null ? 'gone' : 'others'}`)
    if ((await checkLinks(actor, id, recovery)) === 'done') effect = 'done'
  }
  return effect
}

const checkLinks = async (actor: Actor, id: number, { url, complain }: Recovery): Promise<Effect> => {
  const { world, pending, tag, session } = actor
  const attempt = pending?.attempt
  const links = world.files.get(id)?.links ?? new Map<number, string>()
  const listed = await readAll(url, `/files/${id}/links`, session?.accessToken ?? '', LinkShape)
  const seen = new Set(listed.map((link) => link.id))
  let effect: Effect = 'undone'
  for (const [linkId, path] of links) {
    if (seen.has(linkId)) continue
    if (attempt?.kind !== 'unlink' || attempt.linkId !== linkId)
      complain(`${tag}: link ${linkId} to file ${id} is missing`)
    else effect = 'done'
    actor.deadLinks.push(path)
    links.delete(linkId)
  }
  for (const link of listed) {
    if (!links.has(link.id)) {
      if (attempt?.kind !== 'link' || attempt.id !== id || effect === 'done')
        complain(`${tag}: link ${link.id} was never asked for`)
      else effect = 'done'
      links.set(link.id, pathOfLink(link.url))
    }
    const digest = await digestAt(url, pathOfLink(link.url))
    if (digest !== world.files.get(id)?.sha256) complain(`${tag}: link ${link.id} does not open file ${id}`)
  }
  return effect
}

/** What was ended or deleted must not be back. */
const checkDead = async (actor: Actor, { url, complain }: Recovery): Promise<void> => {
  for (const { accessToken, refreshToken } of actor.ended.splice(0)) {
    const { status } = await callAt(url, 'GET', '/users/me', { token: accessToken })
    if (status !== 401) complain(`${actor.tag}: an access token of an ended session was answered ${status}`)
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken }
    const again = await callAt(url, 'POST', '/auth/token', { form })
    if (again.status !== 400) complain(`${actor.tag}: a refresh token of an ended session was answered ${again.status}`)
  }
  for (const path of actor.deadLinks.splice(0)) {
    if ((await digestAt(url, path)) !== null) complain(`${actor.tag}: a link that ended opens a file: ${path}`)
  }
  for (const id of actor.deadFiles.splice(0)) {
    const { status } = await callAt(url, 'GET', `/files/${id}`, { token: actor.session?.accessToken })
    if (!actor.gone && status !== 404) complain(`${actor.tag}: deleted file ${id} was answered ${status}`)
  }
  if (actor.gone) {
    const form = { username: actor.email, password: actor.password }
    const { status } = await callAt(url, 'POST', '/auth/token', { form })
    if (status !== 400 && status !== 503) complain(`${actor.tag}: a deleted user was answered ${status} at sign-in`)
  }
}

/** Sends again what has a key: it must be done now, and once. */
const retry = async (actor: Actor, effect: Effect, recovery: Recovery): Promise<void> => {
  const attempt = actor.pending?.attempt
  if (attempt === undefined || !('key' in attempt) || attempt.key === null || effect === 'unknown') return
  const reply = await send(recovery.url, actor, attempt)
  const replayed = reply.headers.get('idempotency-replayed') === 'true'
  if (replayed !== (effect === 'done')) {
    recovery.complain(`${actor.tag}: ${attempt.kind} was ${effect} before its retry, which was replayed: ${replayed}`)
  }
  if (effect === 'done') {
    if (reply.status > 201) recovery.complain(`${actor.tag}: the retry of ${attempt.kind} was answered ${reply.status}`)
    return
  }
  const problem = acknowledge(actor, attempt, reply, Date.now())
  if (problem !== null) recovery.complain(`${actor.tag}: the retry of ${attempt.kind} ${problem}`)
}

/**
 * Compares all that an actor can see with its world, settles the attempt that the crash left open, and sends it again
 * if it has a key. Answers how that attempt had come out.
 */
export const recover = async (actor: Actor, recovery: Recovery): Promise<Effect> => {
  let effect = await recoverAccount(actor, recovery)
  if (actor.session !== null) {
    const look = async () => [
      await checkName(actor, recovery),
      await checkItems(actor, recovery),
      await checkFiles(actor, recovery),
    ]
    const fates = await look()
    const kind = actor.pending?.attempt.kind
    if (fates.includes('done')) effect = 'done'
    else if (kind === 'items' || kind === 'upload' || kind === 'link')
      effect = fates.includes('unknown') ? 'unknown' : 'undone'
    await retry(actor, effect, recovery)
    actor.pending = null
    // Once more: the retry must have done it once, and nothing else.
    if (kind === 'items' || kind === 'upload' || kind === 'link') await look()
  }
  actor.pending = null
  await checkDead(actor, recovery)
  return effect
}

/** A spent token that comes back after ten seconds ends its session. Answers whether there was one to try. */
export const tryTheft = async (actor: Actor, { url, complain }: Recovery): Promise<boolean> => {
  const { session, tag } = actor
  const old = session?.spent.find(({ at }) => Date.now() - at > REUSE_GRACE_MS + MARGIN_MS)
  if (session === null || old === undefined) return false
  const form = { grant_type: 'refresh_token', refresh_token: old.token }
  const { status } = await callAt(url, 'POST', '/auth/token', { form })
  if (status !== 400) complain(`${tag}: a refresh token spent long ago was answered ${status}`)
  actor.session = null
  actor.ended.push(session)
  await checkDead(actor, { url, complain })
  return true
}

/** A spent token that comes back within ten seconds has the same successor. Answers whether there was one to try. */
export const tryRepeat = async (actor: Actor, { url, complain }: Recovery): Promise<boolean> => {
  const fresh = actor.session?.spent.findLast(({ at }) => Date.now() - at < REUSE_GRACE_MS / 2)
  if (fresh === undefined) return false
  const form = { grant_type: 'refresh_token', refresh_token: fresh.token }
  const { status, body } = await callAt<Record<string, unknown>>(url, 'POST', '/auth/token', { form })
  if (Date.now() - fresh.at > REUSE_GRACE_MS - MARGIN_MS) return false
  if (status !== 200 || body.refresh_token !== fresh.successor) {
    complain(`${actor.tag}: a refresh token spent just now was answered ${status}, not its successor again`)
  }
  return true
}
