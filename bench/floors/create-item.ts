/**
 * What `POST /items/` costs when a row is inserted and answered and nothing else is done: no token, no limits, no log,
 * no validation, no text index, and commits that do not wait for the disk (`synchronous = NORMAL`).
 * Arguments: the database, the owner's id.
 */
import { Database } from 'bun:sqlite'
import { type ItemDraft, type ItemRow, itemBody } from '../lib/item-body.ts'

const [path, id] = Bun.argv.slice(2)
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA journal_mode = WAL')
database.run('PRAGMA synchronous = NORMAL')
database.run('PRAGMA cache_size = -16000')
const insert = database.prepare<ItemRow, [number, string, string | null, string, number, number, number]>(
  `INSERT INTO items (owner_id, title, description, data, version, created_at, updated_at)
   VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *`,
)
const ownerId = Number(id)

const answer = async (request: Request): Promise<Response> => {
  const { title, description = null, data = {} } = (await request.json()) as ItemDraft
  const now = Date.now()
  const row = insert.get(ownerId, title, description, JSON.stringify(data), 1, now, now)
  if (row === null) return new Response(null, { status: 500 })
  return Response.json(itemBody(row), { status: 201, headers: { location: `/api/v1/items/${row.id}` } })
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
