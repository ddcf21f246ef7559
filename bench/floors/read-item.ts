/**
 * What `GET /items/{id}` costs when nothing but the row is read and answered: no token, no limits, no log.
 * Argument: the database.
 */
import { Database } from 'bun:sqlite'

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

const [path] = Bun.argv.slice(2)
// As Skep's reader: the same file, in the same mode, with the same statement.
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA cache_size = -16000')
database.run('PRAGMA query_only = ON')
const byId = database.prepare<Row, [number]>('SELECT * FROM items WHERE id = ?')

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  development: false,
  routes: {
    '/api/v1/items/:id': ({ params }) => {
      const row = byId.get(Number(params.id))
      if (row === null) return new Response(null, { status: 404 })
      return Response.json({
        id: row.id,
        owner_id: row.owner_id,
        title: row.title,
        description: row.description,
        data: JSON.parse(row.data),
        version: row.version,
        created_at: new Date(row.created_at).toISOString(),
        updated_at: new Date(row.updated_at).toISOString(),
      })
    },
  },
  fetch: () => new Response(null, { status: 404 }),
})
process.once('SIGTERM', () => process.exit(0))
console.log(`listening on http://127.0.0.1:${server.port}`)
