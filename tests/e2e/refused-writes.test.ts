import { describe, expect, test } from 'bun:test'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { blobsIn, countItems, create, LARGE, newMember } from '../support/on-disk.ts'
import { DATABASE_THREADS_COUNT, folder, type Server, serve } from '../support/process.ts'
import { embeddedOnly } from '../support/stack.ts'
import { until } from '../support/until.ts'
import { upload } from '../support/uploads.ts'

/** Lets no file of a process grow past so many bytes; without a number, any. Can be taken back. */
const limitFiles = ({ pid }: Server, bytes: number | 'unlimited') => {
  const { stderr } = Bun.spawnSync(['prlimit', `--fsize=${bytes}:unlimited`, '--pid', String(pid)])
  expect(stderr.toString()).toBe('')
}

describe.skipIf(Bun.which('prlimit') === null)('where files cannot grow', () => {
  test('writes are answered 503 and nothing of them is there, reads go on, and it heals', async () => {
    using home = folder()
    await using skep = await serve({ cwd: home.path, env: embeddedOnly })
    const { token } = await newMember(skep)
    const { body } = await create(skep, token)
    limitFiles(skep, statSync(join(skep.dataDir, 'skep.db-wal')).size)
    const refused = await create(skep, token)
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
    const operations = Array.from({ length: 50 }, () => ({ op: 'create', title: 'Elm', description: LARGE }))
    expect((await skep.call('POST', '/items/batch', { token, json: { operations } })).status).toBe(503)
    expect((await skep.call('GET', `/items/${body.id}`, { token })).status).toBe(200)
    expect(await countItems(skep, token)).toBe(1)
    limitFiles(skep, 'unlimited')
    expect((await create(skep, token)).status).toBe(201)
    expect(await countItems(skep, token)).toBe(2)
  })

  test('an upload past the limit is answered 507 and leaves no byte behind', async () => {
    using home = folder()
    await using skep = await serve({ cwd: home.path, env: { ...embeddedOnly, UPLOAD_TYPES: '*/*' } })
    const { token } = await newMember(skep)
    limitFiles(skep, 2_000_000)
    const refused = await upload(skep.call, { token, content: Buffer.alloc(4_000_000, 'x') })
    expect([refused.status, refused.body.code]).toEqual([507, 'storage_full'])
    expect(blobsIn(skep.dataDir)).toEqual([])
    limitFiles(skep, 'unlimited')
    expect((await upload(skep.call, { token, content: Buffer.alloc(4_000_000, 'x') })).status).toBe(201)
  })
})

const linkTarget = (link: string): string => {
  try {
    return readlinkSync(link)
  } catch {
    return 'closed meanwhile'
  }
}

/** The descriptors of a process: the number of each, and what it leads to. */
const descriptorsOf = ({ pid }: Server): ReadonlyMap<number, string> => {
  const folder = `/proc/${pid}/fd`
  return new Map(readdirSync(folder).map((number) => [Number(number), linkTarget(join(folder, number))]))
}

/** Lets a process open one more file or connection, and no other beside it. */
const leaveOneDescriptor = (skep: Server) => {
  const taken = descriptorsOf(skep)
  let limit = 0
  for (let free = 0; free < 1; limit++) if (!taken.has(limit)) free++
  const { stderr } = Bun.spawnSync(['prlimit', `--nofile=${limit}:`, '--pid', String(skep.pid)])
  expect(stderr.toString()).toBe('')
}

describe.skipIf(Bun.which('prlimit') === null)('where no more files can be opened', () => {
  test('a server that has written nothing since its start still does', async () => {
    using home = folder()
    const { token } = await (async () => {
      await using before = await serve({ cwd: home.path, env: embeddedOnly })
      const member = await newMember(before)
      before.signal('SIGTERM')
      await before.exit()
      return member
    })()
    await using skep = await serve({ cwd: home.path, env: embeddedOnly })
    // Run from source, each thread opens the module that evaluates rules at the first request that needs it.
    const counts = await Promise.all(Array.from({ length: 10 * DATABASE_THREADS_COUNT }, () => countItems(skep, token)))
    expect(new Set(counts)).toEqual(new Set([0]))
    // A reader and a writer of each thread, and the log that is synced for all of them.
    const opened = 2 * DATABASE_THREADS_COUNT + 1
    await until(() => [...descriptorsOf(skep).values()].filter((path) => path.endsWith('-wal')).length === opened)
    leaveOneDescriptor(skep)
    expect((await create(skep, token)).status).toBe(201)
    expect(await countItems(skep, token)).toBe(1)
  })
})

const LOCK = `
const { Database } = require('bun:sqlite')
const database = new Database(process.argv[1])
database.run('PRAGMA busy_timeout = 5000')
database.run('BEGIN EXCLUSIVE')
console.log('locked')
process.stdin.once('data', () => process.exit(0))
`

test('a database that another process locks: writes are answered 503, reads go on, and it heals on release', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path, env: embeddedOnly })
  const { token } = await newMember(skep)
  const { body } = await create(skep, token)
  const other = Bun.spawn([process.execPath, '-e', LOCK, join(skep.dataDir, 'skep.db')], {
    stdin: 'pipe',
    stdout: 'pipe',
  })
  try {
    await other.stdout.getReader().read()
    const refused = await create(skep, token)
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
    expect((await skep.call('GET', `/items/${body.id}`, { token })).status).toBe(200)
    other.stdin.write('go')
    other.stdin.end()
    await other.exited
    expect((await create(skep, token)).status).toBe(201)
    expect(await countItems(skep, token)).toBe(2)
  } finally {
    other.kill('SIGKILL')
  }
})
