import { expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { folder, run, serve } from '../support/process.ts'
import { embeddedOnly } from '../support/stack.ts'

test('serve says in one line where it listens, where the docs are and where the data is', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  expect(new URL(skep.url).hostname).toBe('127.0.0.1')
  expect(skep.docsUrl).toBe(`${skep.url}/docs`)
  expect(skep.dataDir).toBe(join(home.path, 'data'))
  expect(skep.stdout.text().match(/listening on/g)).toHaveLength(1)
})

test('serve announces itself even when the log is for errors only', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path, env: { LOG_LEVEL: 'error' } })
  expect(skep.url).toStartWith('http://127.0.0.1:')
})

test('port 0 picks a free port, on which it answers', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path, env: { PORT: '0' } })
  expect(Number(new URL(skep.url).port)).toBeGreaterThan(0)
  expect(await skep.call('GET', '//health')).toMatchObject({ status: 200, body: { status: 'ok' } })
})

test('flags override the environment', async () => {
  using home = folder()
  const env = { HOST: 'no such host!', PORT: '99999', DATA_DIR: join(home.path, 'variable') }
  const flags = ['--host', 'localhost', '--port', '0', '--data-dir', join(home.path, 'flag')]
  await using skep = await serve({ cwd: home.path, env }, flags)
  expect(new URL(skep.url).hostname).toBe('localhost')
  expect(skep.dataDir).toBe(join(home.path, 'flag'))
})

test('a port in use ends serve with 1 and one line, before a data folder is made', async () => {
  using home = folder()
  await using first = await serve({ cwd: home.path })
  const { port } = new URL(first.url)
  const second = await run(['serve', '--port', port, '--data-dir', 'other'], { cwd: home.path })
  expect(second.code).toBe(1)
  expect(second.stderr).toBe(`skep: cannot listen on http://127.0.0.1:${port}: the port is in use\n`)
  expect(existsSync(join(home.path, 'other'))).toBe(false)
})

test('a port in use leaves an older database as it is', async () => {
  using home = folder()
  await using first = await serve({ cwd: home.path, env: { ...embeddedOnly, DATA_DIR: join(home.path, 'first') } })
  mkdirSync(join(home.path, 'older'))
  const path = join(home.path, 'older', 'skep.db')
  await Bun.write(path, '')
  const { port } = new URL(first.url)
  await run(['serve', '--port', port, '--data-dir', 'older'], { cwd: home.path, env: embeddedOnly })
  expect([Bun.file(path).size, readdirSync(join(home.path, 'older'))]).toEqual([0, ['skep.db']])
})

test('an address of another machine ends serve with 1 and one line', async () => {
  using home = folder()
  const { code, stderr } = await run(['serve', '--host', '192.0.2.1', '--port', '0'], { cwd: home.path })
  expect([code, stderr]).toEqual([
    1,
    'skep: cannot listen on http://192.0.2.1:0: the address is not one of this machine\n',
  ])
  expect(existsSync(join(home.path, 'data'))).toBe(false)
})

test('a second server on the same data folder ends with 1 and one line, and the first goes on', async () => {
  using home = folder()
  await using first = await serve({ cwd: home.path, env: embeddedOnly })
  const second = await run(['serve', '--port', '0'], { cwd: home.path, env: embeddedOnly })
  expect(second.code).toBe(1)
  expect(second.stderr).toMatch(/^skep: another server .+\n$/)
  expect((await first.call('GET', '//health/ready')).status).toBe(200)
})

test('a data folder that cannot be made ends serve with 1 and one line', async () => {
  using home = folder()
  await Bun.write(join(home.path, 'file'), '')
  const { code, stderr } = await run(['serve', '--port', '0', '--data-dir', 'file/data'], { cwd: home.path })
  expect(code).toBe(1)
  expect(stderr).toMatch(/^skep: .+\n$/)
})

test('health exits 0 while a server is ready, and 1 with one line when there is none', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path })
  const { port } = new URL(skep.url)
  expect((await run(['health', '--port', port], { cwd: home.path })).code).toBe(0)
  skep.signal('SIGTERM')
  await skep.exit()
  const without = await run(['health', '--port', port], { cwd: home.path })
  expect(without.code).toBe(1)
  expect(without.stderr).toMatch(/^skep: .+\n$/)
})
