/**
 * What `POST /items/` costs when a row is inserted and answered and nothing else is done: no token, no limits, no log,
 * no validation, no text index, and commits that do not wait for the disk (`synchronous = NORMAL`).
 * Arguments: the database, the owner's id.
 */
import { Database } from 'bun:sqlite'

interface Draft {
  readonly title: string
  readonly description?: string
  readonly data?: object
}

interface Row {
  readonly id: number
  readonly owner_id: number
  readonly title: string
  readonly description: string | null
  readonly data: string
  readonly version: number
  readonly created_at: number
  readonly updated_at: number
}

const [path, id] = Bun.argv.slice(2)
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA journal_mode = WAL')
database.run('PRAGMA synchronous = NORMAL')
database.run('PRAGMA cache_size = -16000')
const insert = database.prepare<Row, [number, string, string | null, string, number, number, number]>(
  `INSERT INTO items (owner_id, title, description, data, version, created_at, updated_at)
   VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *`,
)
const ownerId = Number(id)

const answer = async (request: Request): Promise<Response> => {
  const { title, description = null, data = {} } = (await request.json()) as Draft
  const now = Date.now()
  const row = insert.get(ownerId, title, description, JSON.stringify(data), 1, now, now)
  if (row === null) return new Response(null, { status: 500 })
  const body = {
    id: row.id,
    owner_id: row.owner_id,
    title: row.title,
    description: row.description,
    data: JSON.parse(row.data),
    version: row.version,
    created_at: new Date(row.created_at).toISOString(),
    updated_at: new Date(row.updated_at).toISOString(),
  }
  return Response.json(body, { status: 201, headers: { location: `/api/v1/items/${row.id}` } })
}

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  development: false,
  routes: { '/api/v1/items/': { POST: answer } },
  fetch: () => new Response(null, { status: 404 }),
})
process.once('SIGTERM', () => process.exit(0))
console.log(`listening on http://127.0.0.1:${server.port}`)
