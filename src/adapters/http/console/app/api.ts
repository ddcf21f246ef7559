import { createClient, type Fault, SkepError } from '../../../../../client/src/index.ts'
import { SITE } from './site.ts'

const server = `${location.origin}${SITE.base}`

/** The server, as whoever is signed in. */
export const client = createClient({ url: server })

export const { call } = client

/** An error of this page, in the form of one from the server. */
export const fault = (message: string, errors: readonly Omit<Fault, 'in'>[] = []): SkepError =>
  new SkepError('validation_failed', message, { status: 422, errors: errors.map((each) => ({ in: 'body', ...each })) })

interface Misfit {
  readonly id: number
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[]
}

interface Problem {
  readonly code?: SkepError['code']
  readonly detail?: string
  readonly errors?: readonly Fault[]
  readonly request_id?: string
  readonly records?: { readonly first: readonly Misfit[] }
}

/** The error for a refusal that did not come by way of the client. */
const refusalOf = (status: number, problem: Problem): SkepError =>
  new SkepError(problem.code ?? 'unexpected_response', problem.detail ?? `The server answered ${status}`, {
    status,
    errors: problem.errors,
    requestId: problem.request_id,
    cause: problem,
  })

/** The records that do not fit a new definition. */
export const misfitsOf = (error: Error | null): readonly Misfit[] => {
  if (!(error instanceof SkepError) || error.code !== 'records_do_not_fit') return []
  const { cause } = error
  const records: unknown = typeof cause === 'object' && cause !== null && 'records' in cause ? cause.records : null
  const first: unknown = typeof records === 'object' && records !== null && 'first' in records ? records.first : null
  return Array.isArray(first) ? first : []
}

const authorization = async (): Promise<Record<string, string>> => {
  // Renews the access token if it has expired.
  await call('GET', '/users/me')
  const session = await client.auth.session()
  return session === null ? {} : { authorization: `Bearer ${session.accessToken}` }
}

interface Raw {
  readonly json?: unknown
  /** A body that is sent as it is. */
  readonly body?: Blob
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A request whose headers, body or stream the client does not offer. Throws {@link SkepError}. */
export const raw = async (
  method: string,
  path: string,
  { json, body, headers = {}, signal }: Raw = {},
): Promise<Response> => {
  const own = await authorization()
  const type = json === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(`${server}/api/v1${path}`, {
    method,
    headers: { ...own, ...type, ...headers },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  })
  if (!response.ok) throw refusalOf(response.status, await response.json().catch(() => ({})))
  return response
}

/** Lets the browser save a file. */
export const save = (content: Blob, filename: string): void => {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = filename
  link.click()
  URL.revokeObjectURL(link.href)
}

export { SkepError }
