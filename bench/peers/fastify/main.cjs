/** Notes as the guides of Fastify, @fastify/jwt and better-sqlite3 would write them. */
const argon2 = require('argon2')
const Database = require('better-sqlite3')
const Fastify = require('fastify')

const db = new Database('app.db')
db.pragma('journal_mode = WAL')
db.exec(`
  CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL REFERENCES users, title TEXT NOT NULL,
    description TEXT NOT NULL, price INTEGER NOT NULL, created_at TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS notes_owner ON notes (owner_id, id);
  CREATE INDEX IF NOT EXISTS notes_price ON notes (owner_id, price);
`)
const insertUser = db.prepare('INSERT INTO users (email, password) VALUES (?, ?)')
const userByEmail = db.prepare('SELECT * FROM users WHERE email = ?')
const insertNote = db.prepare(
  'INSERT INTO notes (owner_id, title, description, price, created_at) VALUES (?, ?, ?, ?, ?) RETURNING *',
)
const noteById = db.prepare('SELECT * FROM notes WHERE id = ? AND owner_id = ?')
const newest = db.prepare('SELECT * FROM notes WHERE owner_id = ? ORDER BY id DESC LIMIT 20')
const cheapest = db.prepare('SELECT * FROM notes WHERE owner_id = ? AND price < ? ORDER BY price LIMIT 20')
const countOf = db.prepare('SELECT count(*) AS total FROM notes WHERE owner_id = ?')

const app = Fastify({ logger: false })
app.register(require('@fastify/jwt'), { secret: 'a secret of a benchmark, long enough for it' })

const id = { type: 'integer' }
const title = { type: 'string', minLength: 1, maxLength: 200 }
const description = { type: 'string', maxLength: 10_000 }
const note = {
  type: 'object',
  properties: { id, owner_id: id, title, description, price: { type: 'integer' }, created_at: { type: 'string' } },
}
const draft = {
  type: 'object',
  required: ['title', 'description', 'price'],
  properties: { title, description, price: { type: 'integer' } },
}
const credentials = {
  type: 'object',
  required: ['email', 'password'],
  properties: { email: { type: 'string' }, password: { type: 'string', minLength: 8 } },
}
const page = {
  type: 'object',
  properties: { items: { type: 'array', items: note }, total: { type: ['integer', 'null'] } },
}

app.get('/health', async () => ({ status: 'ok' }))

app.post('/users', { schema: { body: credentials } }, async ({ body }, reply) => {
  const { lastInsertRowid } = insertUser.run(body.email, await argon2.hash(body.password))
  return reply.code(201).send({ id: Number(lastInsertRowid) })
})

app.post('/token', { schema: { body: credentials } }, async ({ body }, reply) => {
  const user = userByEmail.get(body.email)
  if (!user || !(await argon2.verify(user.password, body.password))) return reply.code(401).send()
  return { access_token: app.jwt.sign({ sub: user.id }, { expiresIn: '1h' }) }
})

app.register(async (notes) => {
  notes.addHook('onRequest', (request) => request.jwtVerify())
  notes.post('/notes', { schema: { body: draft, response: { 201: note } } }, async ({ user, body }, reply) => {
    const created = insertNote.get(user.sub, body.title, body.description, body.price, new Date().toISOString())
    return reply.code(201).send(created)
  })
  notes.get('/notes/:id', { schema: { response: { 200: note } } }, async ({ user, params }, reply) => {
    return noteById.get(params.id, user.sub) ?? reply.code(404).send()
  })
  notes.get('/notes', { schema: { response: { 200: page } } }, async ({ user, query }) => ({
    items: query.cheaper_than ? cheapest.all(user.sub, query.cheaper_than) : newest.all(user.sub),
    total: query.total === 'false' ? null : countOf.get(user.sub).total,
  }))
})

app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
process.once('SIGTERM', () => app.close().then(() => process.exit(0)))
