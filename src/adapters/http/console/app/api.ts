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
  readonly headers?: Readonly<Record<string, string>>
}

/** A request whose headers or stream the client does not offer. Throws {@link SkepError}. */
export const raw = async (method: string, path: string, { json, headers = {} }: Raw = {}): Promise<Response> => {
  const own = await authorization()
  const body = json === undefined ? {} : { body: JSON.stringify(json) }
  const type = json === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(`${server}/api/v1${path}`, { method, headers: { ...own, ...type, ...headers }, ...body })
  if (!response.ok) throw refusalOf(response.status, await response.json().catch(() => ({})))
  return response
}

/** Sends a file as the body, with an XMLHttpRequest, because `fetch` does not report how much it has sent. */
export const sendFile = async <T>(
  path: string,
  { file, type, onProgress }: { file: File; type: string; onProgress: (share: number) => void },
): Promise<T> => {
  const headers = { ...(await authorization()), 'content-type': type }
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest()
    sending.open('POST', `${server}/api/v1${path}`)
    for (const [name, value] of Object.entries(headers)) sending.setRequestHeader(name, value)
    sending.responseType = 'json'
    sending.upload.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 1 : loaded / total)
    sending.onload = () => {
      if (sending.status === 200) resolve(sending.response)
      else reject(refusalOf(sending.status, sending.response ?? {}))
    }
    sending.onerror = () => reject(new SkepError('network_error', 'The server did not answer'))
    sending.send(file)
  })
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
