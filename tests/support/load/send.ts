import { type Answer, type Call, callAt } from '../call.ts'
import { MULTIPART, multipart, part } from '../uploads.ts'
import type { Actor } from './actor.ts'
import type { Attempt } from './attempt.ts'
import type { Change } from './world.ts'

export type Reply = Answer<unknown>

const PIECES_COUNT = 8
const PAUSE_MS = 25

/** The body in pieces, with pauses, as from someone far away. */
const slowly = (body: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> => {
  const size = Math.ceil(body.length / PIECES_COUNT)
  let at = 0
  return new ReadableStream({
    async pull(controller) {
      if (at > 0) await Bun.sleep(PAUSE_MS)
      if (at >= body.length) return controller.close()
      controller.enqueue(body.subarray(at, at + size))
      at += size
    },
  })
}

const operationOf = (change: Change) => {
  const { op } = change
  if (op === 'create') return { op, ...change.fields }
  const { id, version } = change
  return op === 'update' ? { op, id, version, ...change.fields } : { op, id, version }
}

type Caller = (method: string, path: string, options?: Call) => Promise<Reply>

/** One change by a request of its own. */
const sendOne = async (call: Caller, change: Change, headers: Readonly<Record<string, string>>): Promise<Reply> => {
  if (change.op === 'create') return call('POST', '/items/', { json: change.fields, headers })
  const path = `/items/${change.id}`
  const seen = await call('GET', path)
  if (seen.status !== 200) return seen
  // Of the epoch in which it was written, and of the version that is known.
  const etag = seen.headers.get('etag')?.replace(/^"\d+/, `"${change.version}`) ?? ''
  const conditions = { ...headers, 'if-match': etag }
  if (change.op === 'delete') return call('DELETE', path, { headers: conditions })
  return call('PATCH', path, { json: change.fields, headers: conditions })
}

/** Sends an attempt and waits for the whole answer. Rejects when none comes. */
export const send = (url: string, actor: Actor, attempt: Attempt): Promise<Reply> => {
  const token = actor.session?.accessToken
  const call = (method: string, path: string, options: Call = {}) =>
    callAt<unknown>(url, method, path, { token, ...options })
  const keyed = (key: string | null) => (key === null ? {} : { 'idempotency-key': key })
  switch (attempt.kind) {
    case 'register': {
      const { email, password, world } = actor
      return callAt(url, 'POST', '/users/', { json: { email, name: world.name, password } })
    }
    case 'sign-in':
      return callAt(url, 'POST', '/auth/token', { form: { username: actor.email, password: actor.password } })
    case 'refresh':
      return callAt(url, 'POST', '/auth/token', {
        form: { grant_type: 'refresh_token', refresh_token: attempt.refreshToken },
      })
    case 'revoke':
      return callAt(url, 'POST', '/auth/revoke', { form: { token: actor.session?.refreshToken ?? '' } })
    case 'forgot':
      return callAt(url, 'POST', '/auth/password/forgot', { json: { email: actor.email } })
    case 'leave':
      return call('DELETE', '/users/me', { json: { current_password: actor.password } })
    case 'rename':
      return call('PATCH', '/users/me', { json: { name: attempt.name } })
    case 'list':
      return call('GET', '/items/?size=50&sort=-updated_at')
    case 'search':
      return call('GET', `/items/?q=${actor.tag}`)
    case 'items': {
      const { changes, batch, key } = attempt
      const [change] = changes
      if (batch || change === undefined) {
        const operations = changes.map(operationOf)
        return call('POST', '/items/batch', { json: { operations }, headers: keyed(key) })
      }
      return sendOne(call, change, keyed(key))
    }
    case 'upload': {
      const { filename, content, key, slow } = attempt
      const body = multipart(part(`name="file"; filename="${filename}"`, content))
      const headers = { 'content-type': MULTIPART, ...keyed(key) }
      return call('POST', '/files/', { body: slow ? slowly(body) : body, headers })
    }
    case 'remove-file':
      return call('DELETE', `/files/${attempt.id}`)
    case 'download':
      return call('GET', `/files/${attempt.id}`)
    case 'link':
      return call('POST', `/files/${attempt.id}/links`, { json: { expires_in: 600_000 }, headers: keyed(attempt.key) })
    case 'unlink':
      return call('DELETE', `/files/${attempt.id}/links/${attempt.linkId}`)
  }
}

/** The SHA-256 of what an address gives; null unless it answers 200. `path` from the root on. */
export const digestAt = async (url: string, path: string, token?: string): Promise<string | null> => {
  const response = await fetch(url + path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
  const bytes = await response.arrayBuffer()
  return response.status === 200 ? digestOf(new Uint8Array(bytes)) : null
}

export const digestOf = (bytes: Uint8Array): string => new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
