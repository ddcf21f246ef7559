/**
 * What `GET /collections/tasks/records/{id}` costs when nothing but the row is read and answered: no token, no rule, no
 * limits, no log. Argument: the database.
 */
import { Database } from 'bun:sqlite'
import { type RecordRow, recordBody } from '../lib/record-body.ts'
import { serveFloor } from '../lib/serve-floor.ts'

const [path] = Bun.argv.slice(2)
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA cache_size = -16000')
database.run('PRAGMA query_only = ON')
const byId = database.prepare<RecordRow, [number]>(
  'SELECT id, owner_id, version, created_at, updated_at, data FROM records WHERE id = ?',
)

const answer = (row: RecordRow | null): Response =>
  row === null ? new Response(null, { status: 404 }) : Response.json(recordBody(row))

serveFloor({ '/api/v1/collections/tasks/records/:id': ({ params }) => answer(byId.get(Number(params.id))) })
