/**
 * What `GET /items/{id}` costs on Postgres when nothing but the row is read and answered: no token, no limits, no log.
 * Arguments: the database, how many connections to it.
 */
import { SQL } from 'bun'
import { type ItemRow, itemBody } from '../lib/item-body.ts'

const [url = '', size] = Bun.argv.slice(2)
const sql = new SQL(url, { max: Number(size) })

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  development: false,
  routes: {
    '/api/v1/items/:id': async ({ params }) => {
      const [row]: readonly ItemRow[] = await sql`
        SELECT id, owner_id, title, description, data, version, created_at, updated_at
        FROM items WHERE id = ${Number(params.id)}`
      return row === undefined ? new Response(null, { status: 404 }) : Response.json(itemBody(row))
    },
  },
  fetch: () => new Response(null, { status: 404 }),
})
process.once('SIGTERM', () => process.exit(0))
console.log(`listening on http://127.0.0.1:${server.port}`)
