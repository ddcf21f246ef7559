/**
 * What `GET /items/{id}` costs when nothing but the row is read and answered: no token, no limits, no log.
 * Argument: the database.
 */
import { Database } from 'bun:sqlite'
import { found, type ItemRow } from '../lib/item-body.ts'
import { serveFloor } from '../lib/serve-floor.ts'

const [path] = Bun.argv.slice(2)
// As Skep's reader: the same file, in the same mode, with the same statement.
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA cache_size = -16000')
database.run('PRAGMA query_only = ON')
const byId = database.prepare<ItemRow, [number]>('SELECT * FROM items WHERE id = ?')

serveFloor({ '/api/v1/items/:id': ({ params }) => found(byId.get(Number(params.id))) })
