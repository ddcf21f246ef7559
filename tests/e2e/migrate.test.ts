import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { folder, run, serve } from '../support/process.ts'
import { embeddedOnly } from '../support/stack.ts'

test('migrate --check lists what is pending, exits 1 and makes nothing', async () => {
  using home = folder()
  const { code, stdout } = await run(['migrate', '--check'], { cwd: home.path, env: embeddedOnly })
  expect(code).toBe(1)
  expect(stdout).toMatch(/^(Pending \d{4}_\w+\n)+(Pending \w+\n)*$/)
  expect(readdirSync(home.path)).toEqual([])
})

test('migrate applies what --check listed, after which nothing is pending', async () => {
  using home = folder()
  const pending = await run(['migrate', '--check'], { cwd: home.path, env: embeddedOnly })
  const applied = await run(['migrate'], { cwd: home.path, env: embeddedOnly })
  expect(applied).toMatchObject({ code: 0, stdout: pending.stdout.replaceAll('Pending', 'Applied') })
  const before = readdirSync(join(home.path, 'data'))
  expect(await run(['migrate', '--check'], { cwd: home.path, env: embeddedOnly })).toMatchObject({
    code: 0,
    stdout: '',
  })
  expect(readdirSync(join(home.path, 'data'))).toEqual(before)
})

test('migrate twice is no failure', async () => {
  using home = folder()
  await run(['migrate'], { cwd: home.path, env: embeddedOnly })
  expect((await run(['migrate'], { cwd: home.path, env: embeddedOnly })).code).toBe(0)
})

test('a database written by a newer program is refused with 1 and one line', async () => {
  using home = folder()
  await run(['migrate'], { cwd: home.path, env: embeddedOnly })
  using database = new Database(join(home.path, 'data', 'skep.db'))
  database.run("INSERT INTO migrations VALUES ('9999_future', '', '')")
  for (const command of ['migrate', 'serve']) {
    const { code, stderr } = await run([command], { cwd: home.path, env: { ...embeddedOnly, PORT: '0' } })
    expect({ command, code }).toEqual({ command, code: 1 })
    expect(stderr).toMatch(/^skep: the database is newer than this program: it has 9999_future\n$/)
  }
})

test('serve migrates by itself', async () => {
  using home = folder()
  await using skep = await serve({ cwd: home.path, env: embeddedOnly })
  expect((await skep.call('GET', '//health/ready')).status).toBe(200)
  expect((await run(['migrate', '--check'], { cwd: home.path, env: embeddedOnly })).code).toBe(0)
})
