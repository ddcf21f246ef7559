/**
 * What `POST /items/` costs when a row is inserted and answered and nothing else is done: no token, no limits, no log,
 * no validation, no text index, and commits that do not wait for the disk (`synchronous = NORMAL`).
 * Arguments: the database, the owner's id.
 */
import { Database } from 'bun:sqlite'
import { created, type ItemDraft, type ItemRow } from '../lib/item-body.ts'
import { serveFloor } from '../lib/serve-floor.ts'

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
  return created(insert.get(ownerId, title, description, JSON.stringify(data), 1, now, now))
}

serveFloor({ '/api/v1/items/': { POST: answer } })
