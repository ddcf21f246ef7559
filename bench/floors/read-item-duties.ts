/**
 * What `GET /items/{id}` costs when a raw server does for each answer what every answer of Skep has (`lib/duties.ts`),
 * checks the owner, and sends the ETag.
 * Arguments: the database, the owner's id.
 */
import { Database } from 'bun:sqlite'
import { createDuties } from '../lib/duties.ts'
import { type ItemRow, itemBody } from '../lib/item-body.ts'
import { serveFloor } from '../lib/serve-floor.ts'

const [path, id] = Bun.argv.slice(2)
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA cache_size = -16000')
database.run('PRAGMA query_only = ON')
const byId = database.prepare<ItemRow & { epoch: string }, [number]>('SELECT * FROM items WHERE id = ?')

const duties = createDuties({
  route: '/api/v1/items/:id',
  userId: Number(id),
  addressOf: (request) => server.requestIP(request)?.address,
})

const server = serveFloor({
  '/api/v1/items/:id': (request) => {
    const begun = duties.begin(request)
    const row = byId.get(Number(request.params.id))
    if (row === null || row.owner_id !== begun.userId) return new Response(null, { status: 404 })
    return duties.respond(begun, 200, JSON.stringify(itemBody(row)), { etag: `"${row.version}-${row.epoch}"` })
  },
})
