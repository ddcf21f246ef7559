/**
 * What `POST /items/` costs when a raw server does what the contract demands of each create, in the leanest way: what
 * every answer has (`lib/duties.ts`), the session looked up, the item with its indexes, its entry in the log of changes,
 * its words in the text index, what it counts towards the quota, and all of that on the disk before the answer.
 * Requests that wait for the disk share a commit. Nothing is validated, and nothing can be rolled back alone.
 * Arguments: the database, the owner's id.
 */
import { Database } from 'bun:sqlite'
import { fdatasync, openSync } from 'node:fs'
import { type Begun, createDuties } from '../lib/duties.ts'
import { type ItemDraft, itemBody } from '../lib/item-body.ts'
import { serveFloor } from '../lib/serve-floor.ts'

const [path, id] = Bun.argv.slice(2)
const database = new Database(path, { readwrite: true, create: false, strict: true })
for (const pragma of ['journal_mode = WAL', 'synchronous = NORMAL', 'cache_size = -16000', 'temp_store = MEMORY']) {
  database.run(`PRAGMA ${pragma}`)
}
const epoch = 'bench'
const begin = database.prepare('BEGIN IMMEDIATE')
const commit = database.prepare('COMMIT')
const session = database.prepare<{ id: number }, [number]>('SELECT id FROM users WHERE id = ? AND is_active = 1')
const insert = database.prepare(
  `INSERT INTO items (owner_id, title, description, data, version, epoch, created_at, updated_at)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
)
const append = database.prepare(
  `INSERT INTO events (event, kind, subject_id, owner_id, data, actor_id, request_id, created_at)
   VALUES ('item.created', 'items', ?, ?, ?, ?, ?, ?)`,
)
const index = database.prepare('INSERT INTO items_words (rowid, words) VALUES (?, ?)')
const grow = database.prepare(
  `INSERT INTO usage (user_id, bytes) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET bytes = bytes + excluded.bytes`,
)
begin.run()
grow.run(Number(id), 0)
commit.run()
const log = openSync(`${path}-wal`, 'r+')

const duties = createDuties({
  route: '/api/v1/items/',
  userId: Number(id),
  addressOf: (request) => server.requestIP(request)?.address,
})

interface Waiting {
  readonly begun: Begun
  readonly draft: ItemDraft
  resolve(response: Response): void
}

let waiting: Waiting[] = []
let isBusy = false

const create = ({ begun, draft: { title, description = null, data = {} } }: Waiting) => {
  const { userId, requestId } = begun
  if (session.get(userId) === null) throw new Error('the user is gone')
  const now = Date.now()
  const json = JSON.stringify(data)
  const { lastInsertRowid } = insert.run(userId, title, description, json, 1, epoch, now, now)
  const row = { id: Number(lastInsertRowid), owner_id: userId, title, description, version: 1 }
  const times = { created_at: now, updated_at: now }
  append.run(row.id, userId, JSON.stringify({ ...row, ...times, epoch, data }), userId, requestId, now)
  return { id: row.id, text: `${title}\n${description}`, body: itemBody({ ...row, ...times, data: json }) }
}

const flush = (): void => {
  const batch = waiting
  waiting = []
  begin.run()
  const made = batch.map(create)
  // In the order of their rowids, which the text index writes at once.
  for (const { id, text } of made.toReversed()) index.run(-id, `@${batch[0]?.begun.userId} ${text}`)
  grow.run(Number(id), 1_024 * batch.length)
  commit.run()
  fdatasync(log, (error) => {
    if (error !== null) throw error
    for (const [at, { begun, resolve }] of batch.entries()) {
      const item = made[at]
      if (item === undefined) continue
      const headers = { location: `/api/v1/items/${item.id}`, etag: `"1-${epoch}"` }
      resolve(duties.respond(begun, 201, JSON.stringify(item.body), headers))
    }
    isBusy = false
    schedule()
  })
}

const schedule = (): void => {
  if (isBusy || waiting.length === 0) return
  isBusy = true
  setImmediate(flush)
}

const answer = async (request: Request): Promise<Response> => {
  const begun = duties.begin(request)
  const draft = (await request.json()) as ItemDraft
  return new Promise((resolve) => {
    waiting.push({ begun, draft, resolve })
    schedule()
  })
}

const server = serveFloor({ '/api/v1/items/': { POST: answer } })
