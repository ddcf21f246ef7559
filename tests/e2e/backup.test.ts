import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { generateKey } from '../../src/adapters/archive/encryption.ts'
import type { Fields } from '../support/call.ts'
import { folder, run, type Server, serve } from '../support/process.ts'
import { HAS_S3, newS3Settings } from '../support/s3.ts'
import { PNG, upload } from '../support/uploads.ts'

/** More by hand. */
const ROUNDS_COUNT = Number(process.env.BACKUP_ROUNDS ?? 2)
const WRITERS_COUNT = 4
const MAX_WAIT_MS = 200
const MAX_ROUND_MS = 60_000

const PASSWORD = 'unrelated words here'
const ANN = { email: 'ann@example.com', name: 'Ann', password: PASSWORD }

/** What is restored is embedded, on whichever services the backup was made. */
const embedded = (dataDir: string) => ({
  DATA_DIR: dataDir,
  DATABASE_URL: `sqlite:${join(dataDir, 'skep.db')}`,
  FILES_URL: `file:${join(dataDir, 'files')}`,
})

const signIn = async ({ call }: Server): Promise<string> => {
  const form = { username: ANN.email, password: PASSWORD }
  return String((await call('POST', '/auth/token', { form })).body.access_token)
}

const register = async (skep: Server): Promise<string> => {
  await skep.call('POST', '/users/', { json: ANN })
  return signIn(skep)
}

interface Page extends Fields {
  readonly items: readonly { readonly title: string }[]
  readonly next_cursor: string | null
}

const titlesOf = async ({ call }: Server, token: string): Promise<ReadonlySet<string>> => {
  const titles = new Set<string>()
  for (let cursor: string | null = ''; cursor !== null; ) {
    const after: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { body } = await call<Page>('GET', `/items/?size=100&total=false${after}`, { token })
    for (const { title } of body.items) titles.add(title)
    cursor = body.next_cursor
  }
  return titles
}

describe('a backup', () => {
  test('beside a running server is verified, and restored with its records, files and history', async () => {
    using home = folder()
    const archive = join(home.path, 'skep.tar.zst')
    const restored = join(home.path, 'restored')
    await using skep = await serve({ cwd: home.path })
    const token = await register(skep)
    const { body: item } = await skep.call('POST', '/items/', { token, json: { title: 'one' } })
    await skep.call('PATCH', `/items/${item.id}`, { token, json: { title: 'two' } })
    const { body: file } = await upload(skep.call, { token, content: PNG })

    const made = await run(['backup', '--to', archive], { cwd: home.path })
    expect([made.code, made.stderr]).toEqual([0, ''])
    await skep.call('PATCH', `/items/${item.id}`, { token, json: { title: 'three' } })
    const verified = await run(['backup', 'verify', archive], { cwd: home.path })
    expect([verified.code, verified.stderr]).toEqual([0, ''])
    const env = embedded(restored)
    const done = await run(['restore', archive, '--data-dir', restored], { cwd: home.path, env })
    expect([done.code, done.stderr]).toEqual([0, ''])

    await using again = await serve({ cwd: home.path, env })
    const [mine, content] = [await signIn(again), `/files/${file.id}/content`]
    expect((await again.call('GET', `/items/${item.id}`, { token: mine })).body).toMatchObject({ title: 'two' })
    const { body: history } = await again.call<Page>('GET', `/items/${item.id}/history`, { token: mine })
    expect(history.items).toHaveLength(2)
    const bytes = await fetch(`${again.url}/api/v1${content}`, { headers: { authorization: `Bearer ${mine}` } })
    expect(new Uint8Array(await bytes.arrayBuffer())).toEqual(new Uint8Array(PNG))

    const repeated = await run(['restore', archive, '--data-dir', restored], { cwd: home.path, env })
    expect(repeated.code).toBe(1)
    expect(repeated.stderr.trim().split('\n')).toHaveLength(1)
    expect(repeated.stderr).toContain('is not empty')
  })

  test('that is not whole is refused with one line, and the target stays empty', async () => {
    using home = folder()
    const archive = join(home.path, 'skep.tar.zst')
    {
      await using skep = await serve({ cwd: home.path })
      await register(skep)
      expect((await run(['backup', '--to', archive], { cwd: home.path })).code).toBe(0)
    }
    const bytes = await Bun.file(archive).bytes()
    const altered = bytes.slice()
    const middle = Math.floor(bytes.length / 2)
    altered.set(
      bytes.slice(middle, middle + 64).map((byte) => byte ^ 0xff),
      middle,
    )
    const damaged = { truncated: bytes.slice(0, middle), altered, foreign: Buffer.from('not an archive') }
    for (const [name, content] of Object.entries(damaged)) {
      const path = join(home.path, `${name}.tar.zst`)
      await Bun.write(path, content)
      const target = join(home.path, name)
      const refused = await run(['restore', path, '--data-dir', target], { cwd: home.path, env: embedded(target) })
      expect([name, refused.code]).toEqual([name, 1])
      expect(refused.stderr.trim().split('\n')).toHaveLength(1)
      expect(existsSync(target) ? readdirSync(target) : []).toEqual([])
    }
  }, 60_000)
})

if (HAS_S3) {
  test.each([
    ['without BACKUP_KEY is restored, and everyone signs in again', null, 401],
    ['with BACKUP_KEY is restored with the signing secret, and everyone stays signed in', 'key', 200],
  ])(
    'a backup on S3 %s',
    async (_, kind, statusOfOldToken) => {
      using home = folder()
      const { FILES_URL: place = '', ...keys } = newS3Settings()
      const archive = new URL(place)
      archive.pathname += kind === null ? '/skep.tar.zst' : '/skep.tar.zst.age'
      const { identity: BACKUP_KEY } = await generateKey()
      const env = { ...keys, ...(kind !== null && { BACKUP_KEY }), ...embedded(join(home.path, 'data')) }
      await using skep = await serve({ cwd: home.path, env })
      const token = await register(skep)
      const { body: item } = await skep.call('POST', '/items/', { token, json: { title: 'one' } })
      const { body: file } = await upload(skep.call, { token, content: PNG })
      const made = await run(['backup', '--to', archive.href], { cwd: home.path, env })
      expect([made.code, made.stderr]).toEqual([0, ''])
      expect(made.stdout.includes(', encrypted')).toBe(kind !== null)
      const target = { ...env, ...embedded(join(home.path, 'restored')) }
      const restored = await run(['restore', archive.href], { cwd: home.path, env: target })
      expect([restored.code, restored.stderr]).toEqual([0, ''])
      await using again = await serve({ cwd: home.path, env: target })
      expect((await again.call('GET', `/items/${item.id}`, { token })).status).toBe(statusOfOldToken)
      const mine = await signIn(again)
      expect((await again.call('GET', `/items/${item.id}`, { token: mine })).body).toMatchObject({ title: 'one' })
      expect((await again.call('GET', `/files/${file.id}/content`, { token: mine })).status).toBe(200)
    },
    120_000,
  )
}

/** Creates one item after the other until the server is gone. */
const createWriter = (skep: Server, token: string, writer: number) => {
  let acknowledgedCount = 0
  let sentCount = 0
  const run = async () => {
    for (;;) {
      const title = `${writer}-${sentCount++}`
      const answer = await skep.call('POST', '/items/', { token, json: { title } }).catch(() => null)
      if (answer?.status !== 201) return
      acknowledgedCount++
    }
  }
  return { ended: run(), acknowledgedCount: () => acknowledgedCount, sentCount: () => sentCount }
}

const randomWait = () => Bun.sleep(Math.random() * MAX_WAIT_MS)

/** A backup at one moment of a load, kill -9 of the server at another. */
const round = async (cwd: string, number: number): Promise<void> => {
  const dataDir = join(cwd, `data${number}`)
  const archive = join(cwd, `${number}.tar.zst`)
  const env = { DATA_DIR: dataDir }
  await using skep = await serve({ cwd, env })
  const token = await register(skep)
  const writers = Array.from({ length: WRITERS_COUNT }, (_, writer) => createWriter(skep, token, writer))
  await randomWait()
  const before = writers.map(({ acknowledgedCount }) => acknowledgedCount())
  const backup = run(['backup', '--to', archive], { cwd, env })
  await randomWait()
  skep.signal('SIGKILL')
  const sentAtEnd = backup.then(() => writers.map(({ sentCount }) => sentCount()))
  const { code, stderr } = await backup
  expect([code, stderr]).toEqual([0, ''])
  await Promise.all(writers.map(({ ended }) => ended))

  const target = join(cwd, `restored${number}`)
  const restored = await run(['restore', archive, '--data-dir', target], { cwd, env: embedded(target) })
  expect([restored.code, restored.stderr]).toEqual([0, ''])
  await using again = await serve({ cwd, env: embedded(target) })
  const titles = await titlesOf(again, await signIn(again))
  let total = 0
  for (const [writer, sent] of (await sentAtEnd).entries()) {
    let count = 0
    while (titles.has(`${writer}-${count}`)) count++
    total += count
    // Everything acknowledged before is there, and what is there has no gap.
    expect(count).toBeGreaterThanOrEqual(before[writer] ?? 0)
    expect(count).toBeLessThanOrEqual(sent)
  }
  expect(titles.size).toBe(total)
}

test(
  'a backup during a load, with kill -9 of the server, has everything acknowledged before it, and no later change without the earlier ones',
  async () => {
    using home = folder()
    for (let number = 1; number <= ROUNDS_COUNT; number++) await round(home.path, number)
  },
  ROUNDS_COUNT * MAX_ROUND_MS,
)
