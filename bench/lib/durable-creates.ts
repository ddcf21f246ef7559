/**
 * A raw server that creates rows as the contract demands, in the leanest way: what every answer has (`duties.ts`), the
 * session looked up, an entry in the log of changes, words in the text index, what counts towards the quota and the number
 * of records, and all of that on the disk before the answer, and before any reader sees it. Requests that wait for the
 * disk share a commit. Nothing is validated unless a floor asks for it, and nothing can be rolled back alone.
 */
import { Database } from 'bun:sqlite'
import { fdatasync, openSync } from 'node:fs'
import { type Begun, createDuties } from './duties.ts'
import { serveFloor } from './serve-floor.ts'

export const EPOCH = 'bench'

const BYTES_PER_ROW = 1_024
/** Commits of one row each write some thousand pages in between, SQLite's default. */
const CHECKPOINT_EVERY_COUNT = 64

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

/** Answers a create; `draft` is the body, if it has been parsed and checked. */
export type DurableAnswer<Draft> = (request: Request, draft?: Draft) => Promise<Response>

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

/** A reader's snapshot, held while a commit is not on the disk yet. */
const preparePin = (path: string) => {
  const reader = openDatabase(path)
  const begin = reader.prepare('BEGIN')
  const look = reader.prepare('PRAGMA data_version')
  const end = reader.prepare('ROLLBACK')
  return {
    pin() {
      begin.run()
      look.get()
    },
    unpin: () => end.run(),
  }
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
  const count = database.prepare(
    `INSERT INTO record_counts (storage, slot, count) VALUES ('${event.kind}', 0, ?)
     ON CONFLICT (storage, slot) DO UPDATE SET count = count + excluded.count`,
  )
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
      count.run(made.length)
      commit.run()
    },
  }
}

/** Opens the database, and returns what answers a create. */
export const createDurableCreates = <Draft>(
  options: DurableCreates<Draft>,
  addressOf: (request: Request) => string | undefined,
): DurableAnswer<Draft> => {
  const { path, userId, route, isDraft = (_body): _body is Draft => true, onDurable } = options
  const database = openDatabase(path)
  const insert = options.prepare(database)
  const transaction = prepareTransaction(database, options)
  const { pin, unpin } = preparePin(path)
  // While readers are held, SQLite's own checkpoints would not let the log begin again.
  database.run('PRAGMA wal_autocheckpoint = 0')
  const checkpoint = database.prepare('PRAGMA wal_checkpoint(PASSIVE)')
  let commitCount = 0
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
    pin()
    transaction.end(all.map(({ made }) => made))
    fdatasync(log, (error) => {
      if (error !== null) throw error
      unpin()
      for (const { begun, resolve, made, cursor } of all) {
        onDurable?.(made, cursor)
        const headers = { location: `${route}${made.id}`, etag: `"1-${EPOCH}"` }
        resolve(duties.respond(begun, 201, JSON.stringify(made.body), headers))
      }
      if (++commitCount % CHECKPOINT_EVERY_COUNT === 0) checkpoint.run()
      isBusy = false
      schedule()
    })
  }

  const schedule = (): void => {
    if (isBusy || waiting.length === 0) return
    isBusy = true
    setImmediate(flush)
  }

  return async (request, given) => {
    const begun = duties.begin(request)
    const draft: unknown = given ?? (await request.json())
    if (!isDraft(draft)) return duties.respond(begun, 422, '{"code":"validation_failed"}')
    return new Promise((resolve) => {
      waiting.push({ begun, draft, resolve })
      schedule()
    })
  }
}

/** Serves creates on one route until the process ends. */
export const serveDurableCreates = <Draft>(options: DurableCreates<Draft>): void => {
  const answer: DurableAnswer<Draft> = createDurableCreates(options, (request) => server.requestIP(request)?.address)
  const server = serveFloor({ [options.route]: { POST: (request: Request) => answer(request) } })
}
