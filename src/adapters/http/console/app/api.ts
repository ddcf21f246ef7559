import { SITE } from './site.ts'
import type { Fault } from './types.ts'

/** A request that the server refused, or that did not reach it. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly errors: readonly Fault[]
  /** The records that do not fit a new definition. */
  readonly misfits: readonly { readonly id: number; readonly errors: readonly Fault[] }[]

  constructor(status: number, problem: Problem) {
    super(problem.detail ?? problem.error_description ?? 'The server cannot be reached')
    this.status = status
    this.code = problem.code ?? 'unreachable'
    this.errors = problem.errors ?? []
    this.misfits = problem.records?.first ?? []
  }
}

interface Problem {
  readonly code?: string
  readonly detail?: string
  readonly error_description?: string
  readonly errors?: readonly Fault[]
  readonly records?: { readonly first: ApiError['misfits'] }
}

interface TokenPair {
  readonly access_token: string
  readonly refresh_token: string
}

export interface Options {
  readonly query?: Readonly<Record<string, string | number | null | undefined>>
  readonly json?: unknown
  readonly body?: BodyInit
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

const STORAGE_KEY = `skep-console ${SITE.base}`

const storedTokens = (): TokenPair | null => {
  try {
    return JSON.parse(localStorage.getItem(STORAGE_KEY) ?? 'null')
  } catch {
    return null
  }
}

const listeners = new Set<() => void>()

const store = (tokens: TokenPair | null): void => {
  if (tokens === null) localStorage.removeItem(STORAGE_KEY)
  else localStorage.setItem(STORAGE_KEY, JSON.stringify(tokens))
  for (const listener of listeners) listener()
}

/** Calls `listener` when someone signs in or out, also in another tab. */
export const onSessionChange = (listener: () => void): void => {
  listeners.add(listener)
  addEventListener('storage', ({ key }) => key === STORAGE_KEY && listener())
}

export const isSignedIn = (): boolean => storedTokens() !== null

export const accessToken = (): string => storedTokens()?.access_token ?? ''

/** The address of a route of the API. */
export const urlOf = (path: string, query: Options['query'] = {}): string => {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === null || value === undefined || value === '' ? [] : [[name, String(value)]],
  )
  const search = new URLSearchParams(given).toString()
  return `${SITE.base}/api/v1${path}${search === '' ? '' : `?${search}`}`
}

const send = async (method: string, path: string, options: Options, token: string | null): Promise<Response> => {
  const { query, json, body, headers, signal } = options
  const all = new Headers(headers)
  if (json !== undefined) all.set('content-type', 'application/json')
  if (token !== null) all.set('authorization', `Bearer ${token}`)
  const content = json === undefined ? body : JSON.stringify(json)
  try {
    return await fetch(urlOf(path, query), {
      method,
      headers: all,
      ...(content === undefined ? {} : { body: content }),
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw new ApiError(0, {})
  }
}

const failureOf = async (response: Response): Promise<ApiError> =>
  new ApiError(
    response.status,
    await response.json().catch(() => ({ detail: `The server answered ${response.status}` })),
  )

const authenticate = async (form: Readonly<Record<string, string>>): Promise<TokenPair> => {
  const response = await send('POST', '/auth/token', { body: new URLSearchParams(form) }, null)
  if (!response.ok) throw await failureOf(response)
  return response.json()
}

export const signIn = async (email: string, password: string): Promise<void> =>
  store(await authenticate({ grant_type: 'password', username: email, password }))

/** Ends this session. */
export const signOut = async (): Promise<void> => {
  const tokens = storedTokens()
  store(null)
  if (tokens === null) return
  await send('POST', '/auth/revoke', { body: new URLSearchParams({ token: tokens.refresh_token }) }, null)
}

let refreshing: Promise<void> | null = null

/** Only one request at a time refreshes the tokens, in all tabs. */
const refresh = (expired: string): Promise<void> => {
  refreshing ??= navigator.locks
    .request(STORAGE_KEY, async () => {
      const tokens = storedTokens()
      if (tokens === null || tokens.access_token !== expired) return
      try {
        store(await authenticate({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token }))
      } catch (error) {
        if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) store(null)
        throw error
      }
    })
    .finally(() => {
      refreshing = null
    })
  return refreshing
}

/** The response to a request of whoever is signed in. Throws {@link ApiError}. */
export const request = async (method: string, path: string, options: Options = {}): Promise<Response> => {
  const token = storedTokens()?.access_token ?? null
  let response = await send(method, path, options, token)
  if (response.status === 401 && token !== null) {
    await refresh(token)
    response = await send(method, path, options, storedTokens()?.access_token ?? null)
  }
  if (!response.ok) throw await failureOf(response)
  return response
}

/** The JSON of a response; of one without a body, null. Throws {@link ApiError}. */
export const call = async <T>(method: string, path: string, options: Options = {}): Promise<T> => {
  const response = await request(method, path, options)
  return JSON.parse((await response.text()) || 'null')
}
