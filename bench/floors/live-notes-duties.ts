/**
 * What a change costs that subscribers hear of, when an Elysia server does what the contract demands of each create
 * (`lib/durable-creates.ts`) and nothing else: the token is checked, the body validated by Elysia, and the note, its index
 * entry and its event are on the disk before anybody hears of them, at once and as one frame for all sockets. Sockets are
 * greeted with two texts. Arguments: the database, the address of the only user, that user's token.
 */
import { Database } from 'bun:sqlite'
import { type Static, Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { createDurableCreates, type DurableAnswer, EPOCH } from '../lib/durable-creates.ts'
import { NOTES, NOTES_PATH } from '../lib/notes.ts'
import { recordBody } from '../lib/record-body.ts'
import { serveFetch } from '../lib/serve-floor.ts'

const BYTES = 1_024
/** Of no collection. */
const BY_PRICE = 1_000_001
const KEY_BYTES = 9

const NoteDraft = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 200 }),
    description: Type.String({ maxLength: 10_000 }),
    price: Type.Integer(),
  },
  { additionalProperties: false },
)
type NoteDraft = Static<typeof NoteDraft>

const [path = '', email = '', token = ''] = Bun.argv.slice(2)

const idsOf = () => {
  using database = new Database(path, { readonly: true, strict: true })
  const ids = database
    .query<{ userId: number; collectionId: number; shape: number }, [string, string]>(
      `SELECT users.id AS userId, collections.id AS collectionId, shape FROM users, collections
       WHERE email = ? AND collections.name = ?`,
    )
    .get(email, NOTES.name)
  if (ids === null) throw new Error('there is no such user or no collection of notes')
  return ids
}

const { userId, collectionId, shape } = idsOf()
const topic = `notes of ${userId}`
const users = new Map([[`Bearer ${token}`, userId]])

/** Of an integer from 0, as bytes that compare like the numbers. */
const keyOf = (price: number): Uint8Array => {
  const key = Buffer.alloc(KEY_BYTES)
  key.writeDoubleBE(price, 1)
  return key
}

const prepare = (database: Database) => {
  const insert = database.prepare(
    `INSERT INTO records (collection_id, owner_id, version, epoch, created_at, updated_at, bytes, shape, data)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const put = database.prepare(
    'INSERT INTO record_keys (index_id, key, created_at, record_id, is_unique) VALUES (?, ?, ?, ?, 0)',
  )
  return (note: NoteDraft, now: number) => {
    const data = JSON.stringify(note)
    const { lastInsertRowid } = insert.run(collectionId, userId, 1, EPOCH, now, now, BYTES, shape, data)
    const row = { id: Number(lastInsertRowid), owner_id: userId, version: 1, created_at: now, updated_at: now, data }
    put.run(BY_PRICE, keyOf(note.price), now, row.id)
    return { id: row.id, body: recordBody(row) }
  }
}

const create: DurableAnswer<NoteDraft> = createDurableCreates<NoteDraft>(
  {
    path,
    userId,
    route: NOTES_PATH,
    table: 'records',
    terms: '',
    event: { name: 'note.created', kind: NOTES.name },
    prepare,
    onDurable({ body }, cursor) {
      const event = {
        type: 'event',
        topic: NOTES.name,
        cursor: `${EPOCH}.${cursor}`,
        event: 'note.created',
        data: body,
      }
      server.publish(topic, JSON.stringify(event))
    },
  },
  (request) => server.requestIP(request)?.address,
)

const isSignedIn = ({ headers }: Request): boolean => users.has(headers.get('authorization') ?? '')

const unauthorized = () => new Response(null, { status: 401 })

const app = new Elysia()
  .post(NOTES_PATH, ({ request, body }) => (isSignedIn(request) ? create(request, body) : unauthorized()), {
    body: NoteDraft,
  })
  .get('/ws/:client', ({ request }) => (isSignedIn(request) && server.upgrade(request) ? undefined : unauthorized()))

app.compile()
const server: Bun.Server<undefined> = serveFetch(app.fetch, {
  perMessageDeflate: false,
  open(socket) {
    socket.send('{"type":"ready"}')
  },
  message(socket) {
    socket.subscribe(topic)
    socket.send('{"type":"subscribed"}')
  },
})
