import type { Collection } from '../../../domain/collection.ts'
import { COLLECTIONS } from '../../../domain/collections/index.ts'
import { PROBLEM_STATUS } from '../problems.ts'

const statuses = [...new Set(Object.values(PROBLEM_STATUS))].sort((a, b) => a - b)
const codes = statuses.map((status) => {
  const ofStatus = Object.entries(PROBLEM_STATUS).filter((entry) => entry[1] === status)
  return `| ${status} | ${ofStatus.map(([code]) => `\`${code}\``).join(', ')} |`
})

const DESCRIPTION = `Users, items, files, realtime, jobs and mail behind one API.

## Signing in

\`POST /api/v1/auth/token\` takes an email address as \`username\` and a \`password\` (RFC 6749, password grant) and answers
an access token. Send it as \`Authorization: Bearer TOKEN\`. On the interactive page, **Authorize** does this for you.

## Conventions

JSON in \`snake_case\`; times are RFC 3339 in UTC with milliseconds; ids are integers. A path works with and without a
trailing slash. Properties that a body does not know are refused.

Lists come in pages: by \`page\` and \`size\`, or by \`cursor\`, which reads on from \`next_cursor\` at constant cost at any
depth.

Every answer carries \`X-Request-Id\`, which names the request in the server's log: yours, if you send one.

## Errors

Every refusal is a problem (RFC 9457) with a stable \`code\`. Endpoints of OAuth add the members of RFC 6749.

| status | \`code\` |
|---|---|
${codes.join('\n')}
`

export const about = (version: string) => ({
  title: 'Skep',
  version,
  description: DESCRIPTION,
  license: { name: 'MIT', identifier: 'MIT' },
})

export const TAGS = [
  { name: 'auth', description: 'Signing in, and what proves it' },
  { name: 'users', description: 'Accounts: your own and, for admins, all' },
  ...COLLECTIONS.map(({ name, description }: Collection) => ({ name, description })),
  { name: 'files', description: 'Uploads, their content, and links that open it to others' },
  { name: 'admin', description: 'What only admins may do' },
  { name: 'operations', description: 'Whether the server works' },
]

export const securitySchemes = (basePath: string) => ({
  password: {
    type: 'oauth2',
    description: 'Signs in with an email address and a password',
    flows: { password: { tokenUrl: `${basePath}/api/v1/auth/token`, scopes: {} } },
  },
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token you already have' },
  metricsToken: { type: 'http', scheme: 'bearer', description: 'The setting `METRICS_TOKEN` of the server' },
})

export const SECURITY = [{ password: [] }, { bearer: [] }]

/** For what may also be opened by a key of its own. */
export const KEYED_SECURITY = [...SECURITY, { metricsToken: [] }]

/** For what anyone may call, and some more than others. */
export const OPTIONAL_SECURITY = [{}, ...SECURITY]

const count = { type: 'integer', minimum: 0 }
const seconds = { type: 'integer', minimum: 1 }

export const HEADERS = {
  'X-Request-Id': {
    description:
      'Names this request in the log of the server: what the caller sent, if it is 1 to 64 of `A-Za-z0-9_.-`',
    schema: { type: 'string', pattern: '^[\\w.-]{1,64}$' },
  },
  'RateLimit-Limit': { description: 'How many requests one period allows; absent without a limit', schema: count },
  'RateLimit-Remaining': { description: 'How many are left of them', schema: count },
  'RateLimit-Reset': { description: 'Seconds until all of them are there again', schema: seconds },
  'Retry-After': { description: 'Seconds after which the same call may succeed', schema: seconds },
  Location: { description: 'The path of what was created', schema: { type: 'string', format: 'uri-reference' } },
  'Content-Range': { description: 'Which bytes of how many (RFC 9110 section 14.4)', schema: { type: 'string' } },
  'WWW-Authenticate': { description: 'How to prove who you are (RFC 6750)', schema: { type: 'string' } },
}

/** What a refusal with this status means, whatever the route. */
export const PROBLEM_DESCRIPTIONS: Readonly<Record<string, string>> = {
  400: 'The request cannot be carried out; `code` says why',
  401: 'The access token is missing, invalid, expired or revoked',
  403: 'You may not do this',
  404: 'There is no such thing, or you may not see it',
  409: 'The present state forbids it; `code` says why',
  413: 'The body is too large',
  415: 'The body has another media type than the one expected',
  416: 'The file has no such bytes; `Content-Range` says how many it has',
  421: 'The server does not answer to the name in `Host`',
  422: 'The request does not have the expected form; `errors` names each fault',
  429: 'Too many requests; try again after `Retry-After` seconds',
  500: 'Something went wrong on our side; `request_id` names it in the log',
  503: 'Too much is under way, or a part of the server does not work; try again after `Retry-After` seconds',
  507: 'The storage is full',
}
