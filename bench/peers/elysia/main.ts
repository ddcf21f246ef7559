/** Notes as the guides of Elysia and bun:sqlite would write them. */
import { Database } from 'bun:sqlite'
import { jwt } from '@elysiajs/jwt'
import { Elysia, t } from 'elysia'

const db = new Database('app.db', { create: true, strict: true })
db.run('PRAGMA journal_mode = WAL')
db.run('PRAGMA synchronous = NORMAL')
db.run('CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL)')
db.run(`CREATE TABLE IF NOT EXISTS notes (
  id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL REFERENCES users, title TEXT NOT NULL,
  description TEXT NOT NULL, price INTEGER NOT NULL, created_at TEXT NOT NULL
)`)
db.run('CREATE INDEX IF NOT EXISTS notes_owner ON notes (owner_id, id)')
db.run('CREATE INDEX IF NOT EXISTS notes_price ON notes (owner_id, price)')

interface User {
  readonly id: number
  readonly password: string
}

interface Note {
  readonly id: number
  readonly owner_id: number
  readonly title: string
  readonly description: string
  readonly price: number
  readonly created_at: string
}

const insertUser = db.query('INSERT INTO users (email, password) VALUES (?, ?)')
const userByEmail = db.query<User, [string]>('SELECT * FROM users WHERE email = ?')
const insertNote = db.query<Note, [number, string, string, number, string]>(
  'INSERT INTO notes (owner_id, title, description, price, created_at) VALUES (?, ?, ?, ?, ?) RETURNING *',
)
const noteById = db.query<Note, [number, number]>('SELECT * FROM notes WHERE id = ? AND owner_id = ?')
const newest = db.query<Note, [number]>('SELECT * FROM notes WHERE owner_id = ? ORDER BY id DESC LIMIT 20')
const cheapest = db.query<Note, [number, number]>(
  'SELECT * FROM notes WHERE owner_id = ? AND price < ? ORDER BY price LIMIT 20',
)
const countOf = db.query<{ readonly total: number }, [number]>('SELECT count(*) AS total FROM notes WHERE owner_id = ?')

const Draft = {
  title: t.String({ minLength: 1, maxLength: 200 }),
  description: t.String({ maxLength: 10_000 }),
  price: t.Integer(),
}
const NoteBody = t.Object({ id: t.Integer(), owner_id: t.Integer(), ...Draft, created_at: t.String() })
const Credentials = t.Object({ email: t.String(), password: t.String({ minLength: 8 }) })

const topicOf = (userId: number) => `notes of ${userId}`

const app = new Elysia()
  .use(jwt({ name: 'jwt', secret: 'a secret of a benchmark, long enough for it', exp: '1h' }))
  .get('/health', () => ({ status: 'ok' }))
  .post(
    '/users',
    async ({ body, status }) => {
      const { lastInsertRowid } = insertUser.run(body.email, await Bun.password.hash(body.password))
      return status(201, { id: Number(lastInsertRowid) })
    },
    { body: Credentials },
  )
  .post(
    '/token',
    async ({ jwt, body, status }) => {
      const user = userByEmail.get(body.email)
      if (user === null || !(await Bun.password.verify(body.password, user.password)))
        return status(401, 'Unauthorized')
      return { access_token: await jwt.sign({ sub: String(user.id) }) }
    },
    { body: Credentials },
  )
  .resolve(async ({ jwt, headers, status }) => {
    const claims = await jwt.verify(headers.authorization?.slice('Bearer '.length))
    return claims === false ? status(401, 'Unauthorized') : { userId: Number(claims.sub) }
  })
  .post(
    '/notes',
    ({ userId, body, status, server }) => {
      const note = insertNote.get(userId, body.title, body.description, body.price, new Date().toISOString())
      if (note === null) return status(500, 'Internal Server Error')
      server?.publish(topicOf(userId), JSON.stringify({ event: 'created', data: note }))
      return status(201, note)
    },
    { body: t.Object(Draft), response: { 201: NoteBody, 401: t.String(), 500: t.String() } },
  )
  .get('/notes/:id', ({ userId, params, status }) => noteById.get(params.id, userId) ?? status(404, 'Not Found'), {
    params: t.Object({ id: t.Integer() }),
    response: { 200: NoteBody, 401: t.String(), 404: t.String() },
  })
  .get(
    '/notes',
    ({ userId, query: { total, cheaper_than } }) => ({
      items: cheaper_than === undefined ? newest.all(userId) : cheapest.all(userId, cheaper_than),
      total: total === false ? null : (countOf.get(userId)?.total ?? 0),
    }),
    {
      query: t.Object({ total: t.Optional(t.Boolean()), cheaper_than: t.Optional(t.Integer()) }),
      response: { 200: t.Object({ items: t.Array(NoteBody), total: t.Nullable(t.Integer()) }), 401: t.String() },
    },
  )
  .ws('/ws', {
    open(ws) {
      ws.subscribe(topicOf(ws.data.userId))
      ws.send('subscribed')
    },
  })
  .listen({ hostname: '127.0.0.1', port: Number(Bun.env.PORT) })

process.once('SIGTERM', () => void app.stop(true).then(() => process.exit(0)))
