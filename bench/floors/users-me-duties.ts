/**
 * What `GET /users/me` costs when a raw server does for each answer what every answer of Skep has: a request id, the
 * policy of the page, the address of the client, what is left of a limit and a line in the log. Nothing is checked.
 * Arguments: the database, the user's id.
 */
import { writeSync } from 'node:fs'
import { openUsers, userBody } from '../lib/user-body.ts'

const [path, id] = Bun.argv.slice(2)
const byId = openUsers(path)
const userId = Number(id)

const MAX_BATCH_COUNT = 128
const RATE_LIMIT_COUNT = 999_999_999
const common = new Headers({
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'content-type': 'application/json;charset=utf-8',
})
const users = new Map<string, number>()
let count = 0
let lines = ''

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  development: false,
  routes: {
    '/api/v1/users/me': (request) => {
      const began = performance.now()
      const requestId = request.headers.get('x-request-id') ?? crypto.randomUUID()
      const host = request.headers.get('host')
      const token = request.headers.get('authorization') ?? ''
      const user = users.get(token) ?? userId
      users.set(token, user)
      const address = server.requestIP(request)?.address
      const row = byId.get(user)
      if (row === null || host === null) return new Response(null, { status: 404 })
      const body = JSON.stringify(userBody(row))
      const response = new Response(body, { headers: common })
      const all = response.headers
      all.set('x-request-id', requestId)
      all.set('ratelimit-limit', String(RATE_LIMIT_COUNT))
      all.set('ratelimit-remaining', String(RATE_LIMIT_COUNT - ++count))
      all.set('ratelimit-reset', '3600')
      const entry = {
        level: 'info',
        time: new Date().toISOString(),
        msg: 'request',
        request_id: requestId,
        method: request.method,
        route: '/api/v1/users/me',
        status: 200,
        duration_ms: Math.round((performance.now() - began) * 100) / 100,
        user_id: user,
        address,
      }
      lines += `${JSON.stringify(entry)}\n`
      if (count % MAX_BATCH_COUNT === 0) {
        writeSync(1, lines)
        lines = ''
      }
      return response
    },
  },
  fetch: () => new Response(null, { status: 404 }),
})
process.once('SIGTERM', () => process.exit(0))
console.log(`listening on http://127.0.0.1:${server.port}`)
