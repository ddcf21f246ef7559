import { HttpProblem } from './problems.ts'

/** Allowed values of the Host header, with or without a port; `*` for any. */
export type AllowedHosts = '*' | readonly string[]

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]']

const bracketed = (host: string) => (host.includes(':') ? `[${host}]` : host)

/**
 * The effective names. A server bound to a loopback address accepts only loopback names and the host of PUBLIC_URL, as
 * protection against DNS rebinding.
 */
export const effectiveHosts = (options: {
  readonly bound: string
  readonly given: AllowedHosts | undefined
  readonly publicUrl: string | undefined
}): AllowedHosts => {
  const { bound, publicUrl } = options
  const given = options.given ?? (LOOPBACK.test(bound) ? [...LOOPBACK_NAMES, bracketed(bound)] : '*')
  if (given === '*') return '*'
  return publicUrl === undefined ? given : [...given, new URL(publicUrl).hostname]
}

// RFC 9112 section 3.2. Repeated header lines arrive as one, joined by a comma.
const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253}):?(\d{0,5})$/
const MAX_PORT = 65_535

const withoutDot = (name: string) => name.replace(/\.(?=$|:)/, '')

/** Checks the Host header of a request; null if it is accepted. */
export const createHostCheck = (allowed: AllowedHosts): ((header: string | null) => HttpProblem | null) => {
  const names = new Set(allowed === '*' ? [] : allowed.map((name) => withoutDot(name.toLowerCase())))
  const check = (header: string | null): HttpProblem | null => {
    const [, host, port = ''] = HOST.exec(header?.toLowerCase() ?? '') ?? []
    if (host === undefined || Number(port) > MAX_PORT) {
      return new HttpProblem('invalid_request', 'The Host header is missing, repeated or malformed')
    }
    if (allowed === '*') return null
    const name = withoutDot(host)
    if (names.has(name) || names.has(`${name}:${port}`)) return null
    if (names.has('localhost') && name.endsWith('.localhost')) return null
    return new HttpProblem('misdirected_request', 'This server does not answer to that name (see ALLOWED_HOSTS)')
  }
  // Nearly all requests use the same name.
  let accepted: string | null = null
  return (header) => {
    if (header !== null && header === accepted) return null
    const problem = check(header)
    if (problem === null) accepted = header
    return problem
  }
}
