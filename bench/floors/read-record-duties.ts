/**
 * What `GET /collections/tasks/records/{id}` costs when a raw server does for each answer what every answer of Skep has
 * (`lib/duties.ts`), reads the list of the task to see that the user owns it or is a member of it, and sends the ETag.
 * Arguments: the database, the id of the user.
 */
import { Database } from 'bun:sqlite'
import { createDuties } from '../lib/duties.ts'
import { type RecordRow, recordBody } from '../lib/record-body.ts'
import { serveFloor } from '../lib/serve-floor.ts'

interface ReadableRow extends RecordRow {
  readonly epoch: string
  readonly list_owner_id: number | null
  readonly list_data: string
}

const [path, id] = Bun.argv.slice(2)
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA cache_size = -16000')
database.run('PRAGMA query_only = ON')
const byId = database.prepare<ReadableRow, [number]>(
  `SELECT task.*, list.owner_id AS list_owner_id, list.data AS list_data
   FROM records AS task JOIN records AS list ON list.id = task.data ->> 'list' WHERE task.id = ?`,
)

const isReadable = (row: ReadableRow, userId: number): boolean =>
  row.list_owner_id === userId || JSON.parse(row.list_data).members.includes(userId)

const duties = createDuties({
  route: '/api/v1/collections/:collection/records/:id',
  userId: Number(id),
  addressOf: (request) => server.requestIP(request)?.address,
})

const server = serveFloor({
  '/api/v1/collections/tasks/records/:id': (request) => {
    const begun = duties.begin(request)
    const row = byId.get(Number(request.params.id))
    if (row === null || !isReadable(row, begun.userId)) return new Response(null, { status: 404 })
    return duties.respond(begun, 200, JSON.stringify(recordBody(row)), { etag: `"${row.version}-${row.epoch}"` })
  },
})
