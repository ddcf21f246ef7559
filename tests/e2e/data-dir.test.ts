import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { folder, run, serve } from '../support/process.ts'
import { embeddedOnly } from '../support/stack.ts'

const modeOf = (...path: string[]): string => (statSync(join(...path)).mode & 0o777).toString(8)

test('the data folder is its owner’s alone, and so are the secret and the database in it', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path, env: { ...embeddedOnly, DATA_DIR: 'deep/data' } })
  expect(modeOf(skep.dataDir)).toBe('700')
  expect(modeOf(skep.dataDir, 'jwt-secret')).toBe('600')
  for (const name of readdirSync(skep.dataDir).filter((name) => /^skep\.db(-wal|-shm)?$/.test(name))) {
    expect(`${name} ${modeOf(skep.dataDir, name)}`).toBe(`${name} 600`)
  }
})

test('migrate makes the data folder and the database just as private', async () => {
  using home = folder()
  await run(['migrate'], { cwd: home.path, env: embeddedOnly })
  expect(modeOf(home.path, 'data')).toBe('700')
  expect(modeOf(home.path, 'data', 'skep.db')).toBe('600')
})

test('a data folder that exists keeps its mode, and the secret in it is private all the same', async () => {
  using home = folder()
  mkdirSync(join(home.path, 'data'))
  chmodSync(join(home.path, 'data'), 0o755)
  await using skep = await serve({ cwd: home.path, env: embeddedOnly })
  expect(modeOf(skep.dataDir)).toBe('755')
  expect(modeOf(skep.dataDir, 'jwt-secret')).toBe('600')
  expect(modeOf(skep.dataDir, 'skep.db')).toBe('600')
})

test('tokens stay valid across a restart: the secret is kept', async () => {
  using home = folder()
  await run(['admin', 'create', 'boss@example.com', '--password-stdin'], { cwd: home.path, stdin: 'correct horse' })
  const form = { username: 'boss@example.com', password: 'correct horse' }
  let token = ''
  {
    await using skep = await serve({ cwd: home.path })
    token = (await skep.call<{ access_token: string }>('POST', '/auth/token', { form })).body.access_token
    skep.signal('SIGTERM')
    await skep.exit()
  }
  await using again = await serve({ cwd: home.path })
  expect((await again.call('GET', '/users/me', { token })).status).toBe(200)
})
