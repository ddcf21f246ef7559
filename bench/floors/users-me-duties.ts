/**
 * What `GET /users/me` costs when a raw server does for each answer what every answer of Skep has (`lib/duties.ts`).
 * Arguments: the database, the user's id.
 */
import { createDuties } from '../lib/duties.ts'
import { serveFloor } from '../lib/serve-floor.ts'
import { openUsers, userBody } from '../lib/user-body.ts'

const [path, id] = Bun.argv.slice(2)
const byId = openUsers(path)
const ROUTE = '/api/v1/users/me'

const duties = createDuties({
  route: ROUTE,
  userId: Number(id),
  addressOf: (request) => server.requestIP(request)?.address,
})

const answer = (request: Request): Response => {
  const begun = duties.begin(request)
  const row = byId.get(begun.userId)
  return row === null ? new Response(null, { status: 404 }) : duties.respond(begun, 200, JSON.stringify(userBody(row)))
}

const server = serveFloor({ [ROUTE]: answer })
