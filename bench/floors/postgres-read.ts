/**
 * What `GET /items/{id}` costs on Postgres when nothing but the row is read and answered: no token, no limits, no log.
 * Arguments: the database, how many connections to it.
 */
import { SQL } from 'bun'
import { found, type ItemRow } from '../lib/item-body.ts'
import { serveFloor } from '../lib/serve-floor.ts'

const [url = '', size] = Bun.argv.slice(2)
const sql = new SQL(url, { max: Number(size) })

serveFloor({
  '/api/v1/items/:id': async ({ params }) => {
    const [row]: readonly ItemRow[] = await sql`
      SELECT id, owner_id, title, description, data, version, created_at, updated_at
      FROM items WHERE id = ${Number(params.id)}`
    return found(row)
  },
})
