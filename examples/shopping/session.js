// Signs in to a Skep server and calls its REST interface. An error without `status` says that no answer came.

/** The signed-in server and its tokens, in memory alone; null when signed out. */
let session = null
let renewal = null
/** For an answer, where a network is lost without a word. Uploads take as long as they take. */
const TIMEOUT_MS = 20_000
/** Called with new tokens, and when the server has ended the session. */
const listeners = { renewed: () => {}, ended: () => {} }

const problemOf = async (response) => {
  const body = await response.json().catch(() => ({}))
  const faults = (body.errors ?? []).map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`)
  const text = [body.detail ?? `The server answered ${response.status}`, ...faults].join('. ')
  return Object.assign(new Error(text), { status: response.status, code: body.code })
}

/** Asks for tokens; see `POST /api/v1/auth/token`. */
const takeTokens = async (server, grant) => {
  const response = await fetch(`${server}/api/v1/auth/token`, { method: 'POST', body: new URLSearchParams(grant) })
  if (!response.ok) throw await problemOf(response)
  const tokens = await response.json()
  return { server, access: tokens.access_token, refresh: tokens.refresh_token, lifeMs: tokens.expires_in * 1_000 }
}

const renewInTime = () => {
  clearTimeout(renewal)
  renewal = setTimeout(() => renew().catch(() => {}), session.lifeMs * 0.8)
}

let renewing = null
/** Replaces the tokens; at once for all who ask meanwhile, as a refresh token works once. */
export const renew = () => {
  const before = session
  if (before === null) return Promise.reject(new Error('Signed out'))
  renewing ??= takeTokens(before.server, { grant_type: 'refresh_token', refresh_token: before.refresh })
    .then((next) => {
      if (session !== before) return
      session = next
      renewInTime()
      listeners.renewed()
    })
    .catch((error) => {
      const isRefused = error.status < 500 && error.status !== 429
      if (session === before && isRefused) {
        forget()
        listeners.ended()
      }
      throw error
    })
    .finally(() => {
      renewing = null
    })
  return renewing
}

const forget = () => {
  clearTimeout(renewal)
  session = null
}

export const onSession = (given) => Object.assign(listeners, given)
export const isSignedIn = () => session !== null
export const accessToken = () => session.access
export const socketUrl = (client) => `${session.server.replace(/^http/, 'ws')}/ws/${client}`

/** A new account on this server. */
export const signUp = async (server, { email, name, password }) => {
  const response = await fetch(`${server}/api/v1/users/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, name, password }),
  })
  if (!response.ok) throw await problemOf(response)
}

export const signIn = async (server, { email, password }) => {
  session = await takeTokens(server, { username: email, password })
  renewInTime()
}

/** Here at once, and on the server as soon as it can be reached. */
export const signOut = () => {
  const { server, refresh } = session
  forget()
  const body = new URLSearchParams({ token: refresh })
  fetch(`${server}/api/v1/auth/revoke`, { method: 'POST', body }).catch(() => {})
}

/** For something new. Without `crypto.randomUUID`, which pages have only on https and localhost. */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')

/** `path` is what follows `/api/v1`. With the same `key`, the server creates something once, however often it is asked. */
export const request = async (method, path, { json, body, key } = {}, again = true) => {
  if (session === null) throw new Error('Signed out')
  const response = await fetch(`${session.server}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${session.access}`,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: json === undefined ? body : JSON.stringify(json),
    signal: body === undefined ? AbortSignal.timeout(TIMEOUT_MS) : undefined,
  })
  if (response.status === 401 && again) {
    await renew()
    return request(method, path, { json, body, key }, false)
  }
  if (!response.ok) throw await problemOf(response)
  return response
}

export const call = async (method, path, options) => {
  const response = await request(method, path, options)
  return response.status === 204 ? null : response.json()
}
