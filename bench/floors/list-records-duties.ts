/**
 * What `GET /collections/notes/records/` costs when a raw server does for each answer what every answer of Skep has
 * (`lib/duties.ts`), and reads a page of one's own notes by an index. Arguments: the database, the id of the user.
 */
import { Database } from 'bun:sqlite'
import { createDuties } from '../lib/duties.ts'
import { NOTES_PATH } from '../lib/notes.ts'
import { type RecordRow, recordBody } from '../lib/record-body.ts'
import { serveFloor } from '../lib/serve-floor.ts'

interface EntryRow {
  readonly key: Uint8Array
}

const SIZE = 20
const TIME_DIGITS = 16
const HEXADECIMAL = 16

const [path, id] = Bun.argv.slice(2)
const userId = Number(id)
const database = new Database(path, { readwrite: true, create: false, strict: true })
database.run('PRAGMA cache_size = -16000')
database.run('PRAGMA query_only = ON')
const definition = database
  .query<{ id: number; indexes: string }, []>("SELECT id, indexes FROM collections WHERE name = 'notes'")
  .get()
if (definition === null) throw new Error('there is no collection notes')
const { id: indexId } = (JSON.parse(definition.indexes) as readonly { id: number }[])[0] ?? { id: 0 }
const newest = database.prepare<RecordRow, [number, number]>(
  `SELECT * FROM records WHERE collection_id = ? AND owner_id = ?
   ORDER BY created_at DESC, id DESC LIMIT ${SIZE + 1}`,
)
const cheapest = database.prepare<RecordRow & EntryRow, [number, number, number]>(
  `SELECT records.*, key FROM record_keys JOIN records ON id = record_id
   WHERE index_id = ? AND records.data ->> 'price' < ? AND owner_id = ?
   ORDER BY key, record_keys.created_at, record_id LIMIT ${SIZE + 1}`,
)

const duties = createDuties({
  route: '/api/v1/collections/:collection/records/',
  userId,
  addressOf: (request) => server.requestIP(request)?.address,
})

const cursorOf = (sort: string, key: string | number, { id: last }: RecordRow): string =>
  Buffer.from(JSON.stringify([sort, key, last])).toString('base64url')

const newestPage = () => {
  const rows = newest.all(definition.id, userId)
  const last = rows[SIZE - 1]
  return { rows, next: last === undefined ? null : cursorOf('-created_at', last.created_at, last) }
}

const cheapestPage = (filter: string) => {
  const [, below] = filter.split(' < ')
  const rows = cheapest.all(indexId, Number(below), userId)
  const last = rows[SIZE - 1]
  if (last === undefined) return { rows, next: null }
  const time = last.created_at.toString(HEXADECIMAL).padStart(TIME_DIGITS, '0')
  return { rows, next: cursorOf('price', last.key.toHex() + time, last) }
}

const server = serveFloor({
  [NOTES_PATH]: (request) => {
    const begun = duties.begin(request)
    const filter = new URL(request.url).searchParams.get('filter')
    const { rows, next } = filter === null ? newestPage() : cheapestPage(filter)
    const items = rows.slice(0, SIZE).map(recordBody)
    const page = { items, total: null, page: 1, size: SIZE, pages: null, next_cursor: next }
    return duties.respond(begun, 200, JSON.stringify(page))
  },
})
