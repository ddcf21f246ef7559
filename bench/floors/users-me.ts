/**
 * What `GET /users/me` costs when nothing but the row is read and answered: no token, no limits, no log.
 * Arguments: the database, the user's id.
 */
import { Database } from 'bun:sqlite'
import { serveFloor } from '../lib/serve-floor.ts'

interface Row {
  readonly id: number
  readonly email: string
  readonly name: string
  readonly role: string
  readonly is_active: number
  readonly email_verified: number
  readonly created_at: number
  readonly updated_at: number
}

const [path, id] = Bun.argv.slice(2)
// As Skep's reader: the same file, in the same mode, with the same statement.
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA cache_size = -16000')
database.run('PRAGMA query_only = ON')
const byId = database.prepare<Row, [number]>('SELECT * FROM users WHERE id = ?')
const userId = Number(id)

const answer = (): Response => {
  const row = byId.get(userId)
  if (row === null) return new Response(null, { status: 404 })
  return Response.json({
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role,
    is_active: row.is_active === 1,
    email_verified: row.email_verified === 1,
    created_at: new Date(row.created_at).toISOString(),
    updated_at: new Date(row.updated_at).toISOString(),
  })
}

serveFloor({ '/api/v1/users/me': answer })
