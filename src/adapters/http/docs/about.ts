import type { Collection } from '../../../domain/collection.ts'
import { COLLECTIONS } from '../../../domain/collections/index.ts'
import { PROBLEM_STATUS } from '../problems.ts'

const statuses = [...new Set(Object.values(PROBLEM_STATUS))].sort((a, b) => a - b)
const codes = statuses.map((status) => {
  const ofStatus = Object.entries(PROBLEM_STATUS).filter((entry) => entry[1] === status)
  return `| ${status} | ${ofStatus.map(([code]) => `\`${code}\``).join(', ')} |`
})

const NAMES = COLLECTIONS.map(({ name }: Collection) => name)

const DESCRIPTION = `${['Users', ...NAMES].join(', ')}, files, realtime, jobs and mail behind one API.

## Signing in

\`POST /api/v1/auth/token\` takes an email address as \`username\` and a \`password\` (RFC 6749, password grant) and returns
an access token. Send it as \`Authorization: Bearer TOKEN\`. On the interactive page, **Authorize** does this for you.

## Conventions

JSON in \`snake_case\`; times are RFC 3339 in UTC with milliseconds; ids are integers. A path works with and without a
trailing slash. A body with an unknown property is refused.

Lists are paginated by \`page\` and \`size\`, or by \`cursor\`: pass the \`next_cursor\` of the previous page. Reading by
cursor costs the same at any depth.

Every response carries \`X-Request-Id\`, which identifies the request in the server's log. Every operation also reads
\`X-Request-Id\` from the request: a value of 1 to 64 characters of \`A-Za-z0-9_.-\` is used, any other is replaced. It is
described here and not as a parameter of each operation, so that generated clients do not repeat it in every call.

## Errors

Every error is a problem document (RFC 9457) with a stable \`code\`. The OAuth endpoints add the members of RFC 6749.

| status | \`code\` |
|---|---|
${codes.join('\n')}
`

export const about = (version: string) => ({
  title: 'Skep',
  version,
  description: DESCRIPTION,
  contact: { name: 'Skep' },
  license: { name: 'MIT', identifier: 'MIT' },
})

export const TAGS = [
  { name: 'auth', description: 'Sign-in, tokens, sessions and mailed links' },
  { name: 'users', description: 'Your own account and, for admins, all accounts' },
  ...COLLECTIONS.map(({ name, description }: Collection) => ({ name, description })),
  { name: 'collections', description: 'Definitions of collections, and changes of records in several of them' },
  { name: 'files', description: 'Uploads, their content, and signed links that share it' },
  { name: 'admin', description: 'Operations for admins only' },
  { name: 'operations', description: 'Health and metrics of the server' },
]

export const securitySchemes = (basePath: string) => ({
  password: {
    type: 'oauth2',
    description: 'Signs in with an email address and a password',
    flows: { password: { tokenUrl: `${basePath}/api/v1/auth/token`, scopes: {} } },
  },
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token you already have' },
  metricsToken: { type: 'http', scheme: 'bearer', description: "The value of the server's `METRICS_TOKEN` setting" },
})

export const SECURITY = [{ password: [] }, { bearer: [] }]

/** For routes that also accept a static token. */
export const KEYED_SECURITY = [...SECURITY, { metricsToken: [] }]

/** For routes without required sign-in whose result depends on the caller. */
export const OPTIONAL_SECURITY = [{}, ...SECURITY]

/** The meaning of an error with this status, for every route. */
export const PROBLEM_DESCRIPTIONS: Readonly<Record<string, string>> = {
  400: 'The request cannot be carried out; `code` says why',
  401: 'The access token is missing, invalid, expired or revoked',
  403: 'You are not allowed to do this',
  404: 'The resource does not exist, or you are not allowed to see it',
  409: 'The request conflicts with the current state; `code` says why',
  412: 'The current version does not match `If-Match`',
  413: 'The body is too large',
  415: 'The media type of the body is not supported',
  416: 'The requested range is outside the file; `Content-Range` gives its size',
  421: 'The server does not accept the name in `Host`',
  422: 'The request does not match the schema; `errors` lists the faults',
  429: 'Too many requests; try again after `Retry-After` seconds',
  500: 'An unexpected error in the server; `request_id` identifies it in the log',
  503: 'The server is overloaded, or one of its parts is unavailable; try again after `Retry-After` seconds',
  507: 'The storage is full',
}
