/**
 * A raw server that creates rows as the contract demands, in the leanest way: what every answer has (`duties.ts`), the
 * session looked up, an entry in the log of changes, words in the text index, what counts towards the quota, and all of
 * that on the disk before the answer. Requests that wait for the disk share a commit. Nothing is validated unless a floor
 * asks for it, and nothing can be rolled back alone.
 */
import { Database } from 'bun:sqlite'
import { fdatasync, openSync } from 'node:fs'
import { type Begun, createDuties } from './duties.ts'
import { serveFloor } from './serve-floor.ts'

export const EPOCH = 'bench'

const BYTES_PER_ROW = 1_024

/** A row that was inserted. */
export interface Made {
  readonly id: number
  /** For the text index; absent when no field is searched. */
  readonly text?: string
  /** As REST shows it. */
  readonly body: object
}

export interface DurableCreates<Draft> {
  /** Of the database. */
  readonly path: string
  /** The owner of all rows. */
  readonly userId: number
  /** Of the only route. */
  readonly route: string
  /** Whose text index has the words. */
  readonly table: string
  /** What the words of each row begin with. */
  readonly terms: string
  /** Prepares the statements, and returns how a row is inserted with all its indexes. */
  prepare(database: Database): (draft: Draft, now: number) => Made
  /** What the log of changes has of a row. */
  readonly event: { readonly name: string; readonly kind: string }
  /** Without it, every body is taken for a draft. */
  readonly isDraft?: (body: unknown) => body is Draft
  /** Called with each row and the number of its event once both are on the disk, before the answer. */
  readonly onDurable?: (made: Made, cursor: number) => void
}

type Answer = (request: Request) => Promise<Response>

interface Waiting<Draft> {
  readonly begun: Begun
  readonly draft: Draft
  resolve(response: Response): void
}

const openDatabase = (path: string): Database => {
  const database = new Database(path, { readwrite: true, create: false, strict: true })
  for (const pragma of ['journal_mode = WAL', 'synchronous = NORMAL', 'cache_size = -16000', 'temp_store = MEMORY']) {
    database.run(`PRAGMA ${pragma}`)
  }
  return database
}

/** Prepares what each row needs beside itself. */
const prepareTransaction = (
  database: Database,
  { userId, table, terms, event }: Pick<DurableCreates<never>, 'userId' | 'table' | 'terms' | 'event'>,
) => {
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const session = database.prepare<{ id: number }, [number]>('SELECT id FROM users WHERE id = ? AND is_active = 1')
  const append = database.prepare(
    `INSERT INTO events (event, kind, subject_id, owner_id, data, actor_id, request_id, created_at)
     VALUES ('${event.name}', '${event.kind}', ?, ?, ?, ?, ?, ?)`,
  )
  const index = database.prepare(`INSERT INTO ${table}_words (rowid, words) VALUES (?, ?)`)
  const grow = database.prepare(
    `INSERT INTO usage (user_id, bytes) VALUES (?, ?)
     ON CONFLICT (user_id) DO UPDATE SET bytes = bytes + excluded.bytes`,
  )
  return {
    begin: () => begin.run(),
    checkSession() {
      if (session.get(userId) === null) throw new Error('the user is gone')
    },
    /** Returns the number of the event. */
    log: ({ id, body }: Made, requestId: string, now: number): number =>
      Number(append.run(id, userId, JSON.stringify({ ...body, epoch: EPOCH }), userId, requestId, now).lastInsertRowid),
    end(made: readonly Made[]) {
      // In the order of their rowids, which the text index writes at once.
      for (const { id, text } of made.toReversed()) if (text !== undefined) index.run(-id, `${terms} ${text}`)
      grow.run(userId, BYTES_PER_ROW * made.length)
      commit.run()
    },
  }
}

/** Opens the database, and returns what answers a create. */
export const createDurableCreates = <Draft>(
  options: DurableCreates<Draft>,
  addressOf: (request: Request) => string | undefined,
): Answer => {
  const { path, userId, route, isDraft = (_body): _body is Draft => true, onDurable } = options
  const database = openDatabase(path)
  const insert = options.prepare(database)
  const transaction = prepareTransaction(database, options)
  // Makes the write-ahead log.
  transaction.begin()
  transaction.end([])
  const log = openSync(`${path}-wal`, 'r+')
  const duties = createDuties({ route, userId, addressOf })
  let waiting: Waiting<Draft>[] = []
  let isBusy = false

  const create = ({ begun, draft }: Waiting<Draft>) => {
    transaction.checkSession()
    const now = Date.now()
    const made = insert(draft, now)
    return { made, cursor: transaction.log(made, begun.requestId, now) }
  }

  const flush = (): void => {
    const batch = waiting
    waiting = []
    transaction.begin()
    const all = batch.map((each) => ({ ...each, ...create(each) }))
    transaction.end(all.map(({ made }) => made))
    fdatasync(log, (error) => {
      if (error !== null) throw error
      for (const { begun, resolve, made, cursor } of all) {
        onDurable?.(made, cursor)
        const headers = { location: `${route}${made.id}`, etag: `"1-${EPOCH}"` }
        resolve(duties.respond(begun, 201, JSON.stringify(made.body), headers))
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

  return async (request) => {
    const begun = duties.begin(request)
    const draft: unknown = await request.json()
    if (!isDraft(draft)) return duties.respond(begun, 422, '{"code":"validation_failed"}')
    return new Promise((resolve) => {
      waiting.push({ begun, draft, resolve })
      schedule()
    })
  }
}

/** Serves creates on one route until the process ends. */
export const serveDurableCreates = <Draft>(options: DurableCreates<Draft>): void => {
  const answer: Answer = createDurableCreates(options, (request) => server.requestIP(request)?.address)
  const server = serveFloor({ [options.route]: { POST: answer } })
}
