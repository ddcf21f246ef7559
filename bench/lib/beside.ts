import type { Server } from './server.ts'
import type { LoadResult } from './wrk.ts'

const MIN_LOG_LINE_BYTES = 60
const EXPECTED_HEADERS = ['x-request-id', 'ratelimit-remaining']

export interface Answer {
  readonly body: string
  readonly headers: Headers
}

/** A request whose answer may take more than the five minutes that Bun waits otherwise. */
export type Patient = BunFetchRequestInit & { readonly timeout: false }

/** One request. Rejects when it is answered otherwise than expected. */
export const fetched = async (
  url: string,
  init: (RequestInit | Patient) & { readonly status?: number } = {},
): Promise<Answer> => {
  const { status = 200, ...request } = init
  const response = await fetch(url, request)
  const body = await response.text()
  if (response.status !== status) throw new Error(`${url} answered ${response.status}: ${body}`)
  return { body, headers: response.headers }
}

/** What two have written that is the same, but not of the same moment. */
export const withoutTimes = (body: string): string => body.replaceAll(/_at":"[^"]+"/g, '_at":""')

/** Throws unless both do the same, and Skep all that it does for every request. */
export const checkAlike = (own: Answer, raw: Answer, normalize: (body: string) => string = (body) => body): void => {
  if (normalize(own.body) !== normalize(raw.body)) {
    throw new Error(`the floor answers something else: ${raw.body} against ${own.body}`)
  }
  const missing = EXPECTED_HEADERS.filter((name) => !own.headers.has(name))
  if (missing.length > 0) throw new Error(`without ${missing.join(', ')} this is another measurement`)
}

/** A check that throws when requests were answered and not logged. */
export const loggedBy =
  (skep: Server) =>
  ({ requests }: LoadResult): void => {
    if (skep.takeLog() < requests * MIN_LOG_LINE_BYTES) throw new Error('requests were answered and not logged')
  }
