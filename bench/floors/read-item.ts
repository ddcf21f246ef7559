/**
 * What `GET /items/{id}` costs when nothing but the row is read and answered: no token, no limits, no log.
 * Argument: the database.
 */
import { Database } from 'bun:sqlite'
import { type ItemRow, itemBody } from '../lib/item-body.ts'

const [path] = Bun.argv.slice(2)
// As Skep's reader: the same file, in the same mode, with the same statement.
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA cache_size = -16000')
database.run('PRAGMA query_only = ON')
const byId = database.prepare<ItemRow, [number]>('SELECT * FROM items WHERE id = ?')

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  development: false,
  routes: {
    '/api/v1/items/:id': ({ params }) => {
      const row = byId.get(Number(params.id))
      return row === null ? new Response(null, { status: 404 }) : Response.json(itemBody(row))
    },
  },
  fetch: () => new Response(null, { status: 404 }),
})
process.once('SIGTERM', () => process.exit(0))
console.log(`listening on http://127.0.0.1:${server.port}`)
