import { expect, test } from 'bun:test'
import { chmodSync, cpSync, mkdirSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { folder, run, serve } from '../support/process.ts'
import { embeddedOnly } from '../support/stack.ts'
import { until } from '../support/until.ts'
import { upload } from '../support/uploads.ts'

const modeOf = (...path: string[]): string => (statSync(join(...path)).mode & 0o777).toString(8)

test('the data folder is its owner’s alone, and so is everything in it', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path, env: { ...embeddedOnly, DATA_DIR: 'deep/data' } })
  const everything = () => readdirSync(skep.dataDir, { recursive: true, withFileTypes: true })
  const person = { email: 'ann@example.com', name: 'Ann', password: 'correct horse' }
  await skep.call('POST', '/users/', { json: person })
  const form = { username: person.email, password: person.password }
  const { body } = await skep.call<{ access_token: string }>('POST', '/auth/token', { form })
  expect((await upload(skep.call, { token: body.access_token })).status).toBe(201)
  await until(() => everything().some(({ name }) => name.endsWith('.eml')))
  expect(modeOf(skep.dataDir)).toBe('700')
  for (const entry of everything()) {
    const mode = modeOf(entry.parentPath, entry.name)
    expect({ name: entry.name, mode }).toEqual({ name: entry.name, mode: entry.isDirectory() ? '700' : '600' })
  }
  const names = everything().map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['jwt-secret', 'skep.db', 'skep.db-wal', 'skep.db.lock']))
})

test('migrate makes the data folder and the database just as private', async () => {
  using home = folder()
  await run(['migrate'], { cwd: home.path, env: embeddedOnly })
  expect(modeOf(home.path, 'data')).toBe('700')
  expect(modeOf(home.path, 'data', 'skep.db')).toBe('600')
})

test('a data folder that others can read causes a warning, and one that the server created does not', async () => {
  using home = folder()
  mkdirSync(join(home.path, 'open'))
  chmodSync(join(home.path, 'open'), 0o750)
  for (const [dataDir, count] of [
    ['open', 1],
    ['own', 0],
  ] as const) {
    await using skep = await serve({ cwd: home.path, env: embeddedOnly }, ['--data-dir', dataDir])
    skep.signal('SIGTERM')
    const warnings = (await skep.exit()).stdout
      .split('\n')
      .filter((line) => line.includes('can access the data folder'))
    expect(warnings).toHaveLength(count)
    for (const line of warnings) expect(line).toContain('0750')
  }
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

test('a command that only reads refuses a data folder without a database in one line, and creates nothing', async () => {
  using home = folder()
  mkdirSync(join(home.path, 'definitions'))
  mkdirSync(join(home.path, 'empty'))
  for (const dataDir of ['mistyped', 'empty']) {
    for (const command of [
      ['types', '--out', 'types.ts'],
      ['collections', 'export', 'exported'],
      ['collections', 'apply', 'definitions', '--check'],
      ['backup', '--to', 'backup.zst'],
    ]) {
      const args = [...command, '--data-dir', dataDir]
      const { code, stdout, stderr } = await run(args, { cwd: home.path, env: embeddedOnly })
      const path = join(realpathSync(home.path), dataDir, 'skep.db')
      const expected = { args, code: 1, stdout: '', stderr: `skep: there is no database at ${path}\n` }
      expect({ args, code, stdout, stderr }).toEqual(expected)
    }
  }
  expect(readdirSync(home.path, { recursive: true }).sort()).toEqual(['definitions', 'empty'])
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

test('without its secret a copied data folder gives nobody access, and refresh tokens still work', async () => {
  using home = folder()
  const env = embeddedOnly
  await run(['admin', 'create', 'boss@example.com', '--password-stdin'], {
    cwd: home.path,
    stdin: 'correct horse',
    env,
  })
  const form = { username: 'boss@example.com', password: 'correct horse' }
  type Pair = { readonly access_token: string; readonly refresh_token: string }
  const signIn = async (): Promise<Pair> => {
    await using skep = await serve({ cwd: home.path, env })
    const { body } = await skep.call<Pair>('POST', '/auth/token', { form })
    skep.signal('SIGTERM')
    await skep.exit()
    return body
  }
  const pair = await signIn()
  cpSync(join(home.path, 'data'), join(home.path, 'copy'), { recursive: true })
  rmSync(join(home.path, 'copy', 'jwt-secret'))
  await using copy = await serve({ cwd: home.path, env: { ...env, DATA_DIR: 'copy' } })
  expect((await copy.call('GET', '/users/me', { token: pair.access_token })).status).toBe(401)
  const refreshing = { grant_type: 'refresh_token', refresh_token: pair.refresh_token }
  const { body } = await copy.call<Pair>('POST', '/auth/token', { form: refreshing })
  expect((await copy.call('GET', '/users/me', { token: body.access_token })).status).toBe(200)
})
