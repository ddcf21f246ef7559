/**
 * What `GET /users/me` costs when nothing but the row is read and answered: no token, no limits, no log.
 * Arguments: the database, the user's id.
 */
import { serveFloor } from '../lib/serve-floor.ts'
import { openUsers, userBody } from '../lib/user-body.ts'

const [path, id] = Bun.argv.slice(2)
const byId = openUsers(path)
const userId = Number(id)

const answer = (): Response => {
  const row = byId.get(userId)
  if (row === null) return new Response(null, { status: 404 })
  return Response.json(userBody(row))
}

serveFloor({ '/api/v1/users/me': answer })
