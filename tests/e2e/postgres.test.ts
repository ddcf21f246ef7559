import { describe, expect, test } from 'bun:test'
import { missing, outsideOfPostgres, testDatabase } from '../support/postgres.ts'
import { entriesOf, folder, run, serve } from '../support/process.ts'
import { until } from '../support/until.ts'

const JWT_SECRET = 'a secret that only these tests know'

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('a fresh database is migrated by migrate and by nothing else, and then served', async () => {
    using home = folder()
    const env = { DATABASE_URL: await testDatabase('empty'), JWT_SECRET, PORT: '0' }
    const at = { cwd: home.path, env }
    for (const command of [['serve'], ['admin', 'create', 'boss@example.com']]) {
      const { code, stderr } = await run(command, at)
      expect({ command, code }).toEqual({ command, code: 1 })
      expect(stderr).toMatch(/^skep: the database lacks 0001_accounts, .+: run skep migrate\n$/)
    }
    const pending = await run(['migrate', '--check'], at)
    expect(pending.code).toBe(1)
    expect(pending.stdout).toMatch(/^(Pending \d{4}_\w+\n)+(Pending \w+\n)*$/)
    const applied = await run(['migrate'], at)
    expect(applied).toMatchObject({ code: 0, stdout: pending.stdout.replaceAll('Pending', 'Applied') })
    expect(await run(['migrate', '--check'], at)).toMatchObject({ code: 0, stdout: '' })

    const boss = ['admin', 'create', 'boss@example.com', '--password-stdin']
    expect((await run(boss, { ...at, stdin: 'correct horse' })).code).toBe(0)
    await using skep = await serve({ cwd: home.path, env })
    const form = { username: 'boss@example.com', password: 'correct horse' }
    expect((await skep.call('POST', '/auth/token', { form })).status).toBe(200)
    expect(entriesOf(skep.stdout.text()).filter(({ level }) => level === 'warn')).toMatchObject([
      { msg: 'without REDIS_URL only one process may serve this database' },
    ])
    skep.signal('SIGTERM')
    expect((await skep.exit()).code).toBe(0)
  })

  test('a database that a newer program has migrated is served, and left as it is', async () => {
    using home = folder()
    const DATABASE_URL = await testDatabase()
    await outsideOfPostgres(DATABASE_URL, "INSERT INTO migrations VALUES ('9999_future', '', now())")
    const env = { DATABASE_URL, JWT_SECRET }
    await using skep = await serve({ cwd: home.path, env })
    expect((await skep.call('GET', '//health/ready')).status).toBe(200)
    expect(await run(['migrate'], { cwd: home.path, env })).toMatchObject({ code: 0, stdout: 'Up to date\n' })
  })

  test('two servers on one database see what the other writes, and send each mail once', async () => {
    using home = folder()
    using elsewhere = folder()
    const env = { DATABASE_URL: await testDatabase(), JWT_SECRET }
    await using one = await serve({ cwd: home.path, env })
    await using other = await serve({ cwd: elsewhere.path, env })
    const people = Array.from({ length: 20 }, (_, n) => `person${n}@example.com`)
    const register = (email: string, n: number) =>
      (n % 2 === 0 ? one : other).call('POST', '/users/', { json: { email, name: 'Ann', password: 'correct horse' } })
    expect((await Promise.all(people.map(register))).map(({ status }) => status)).toEqual(people.map(() => 201))
    const [email = ''] = people
    const form = { username: email, password: 'correct horse' }
    const { body } = await one.call<{ access_token: string }>('POST', '/auth/token', { form })
    const item = await one.call('POST', '/items/', { token: body.access_token, json: { title: 'x' } })
    const seen = await other.call('GET', `/items/${item.body.id}`, { token: body.access_token })
    expect(seen).toMatchObject({ status: 200, body: item.body })
    const mails = () =>
      entriesOf(one.stdout.text() + other.stdout.text())
        .filter(({ msg }) => msg === 'mail written')
        .map(({ to }) => String(to))
    await until(() => mails().length >= people.length)
    for (const skep of [one, other]) skep.signal('SIGTERM')
    await Promise.all([one.exit(), other.exit()])
    expect(mails().sort()).toEqual([...people].sort())
  })
})

test('a server that cannot be reached ends each command with 1 and one line, without the password', async () => {
  using home = folder()
  const env = { DATABASE_URL: 'postgres://skep:hunter2@127.0.0.1:1/skep', JWT_SECRET, PORT: '0' }
  for (const command of ['serve', 'migrate']) {
    const { code, stderr } = await run([command], { cwd: home.path, env })
    expect({ command, code }).toEqual({ command, code: 1 })
    expect(stderr).toMatch(/^skep: 127\.0\.0\.1:1\/skep: .+\n$/)
    expect(stderr).not.toContain('hunter2')
  }
})

test('a database that is not embedded needs JWT_SECRET: exit 2', async () => {
  using home = folder()
  const env = { DATABASE_URL: 'postgres://skep:hunter2@127.0.0.1:1/skep' }
  const { code, stderr } = await run(['serve'], { cwd: home.path, env })
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: 'JWT_SECRET: required when the database is not embedded, at least 32 bytes\n',
  })
})
