/**
 * What Elysia adds to that with the plugins that Skep has and a socket; and, given the path of one of Skep's databases,
 * what SQLite adds: it is opened with the same pragmas, and one row is read.
 */
import { cors } from '@elysiajs/cors'
import { jwt } from '@elysiajs/jwt'
import { swagger } from '@elysiajs/swagger'
import { Elysia } from 'elysia'

const PRAGMAS = [
  'busy_timeout = 5',
  'foreign_keys = ON',
  'cache_size = -16000',
  'temp_store = MEMORY',
  'journal_mode = WAL',
  'synchronous = NORMAL',
  'wal_autocheckpoint = 0',
  'journal_size_limit = 16777216',
]

const openDatabase = async (path: string): Promise<void> => {
  const { Database } = await import('bun:sqlite')
  const database = new Database(path, { readwrite: true, create: false, strict: true })
  for (const pragma of PRAGMAS) database.run(`PRAGMA ${pragma}`)
  database.query('SELECT * FROM users LIMIT 1').get()
}

const [path] = Bun.argv.slice(2)
if (path !== undefined) await openDatabase(path)

const app = new Elysia()
  .use(cors())
  .use(jwt({ name: 'jwt', secret: 'a secret of a benchmark, long enough for it', exp: '1h' }))
  .use(swagger())
  .get('/health', () => ({ status: 'ok' }))
  .ws('/ws', { message() {} })
  .listen({ hostname: '127.0.0.1', port: Number(Bun.env.PORT) })

process.once('SIGTERM', () => void app.stop(true).then(() => process.exit(0)))
