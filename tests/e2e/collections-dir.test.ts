import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { admin, home, tokenOf } from '../support/definitions-folder.ts'
import { list, task } from '../support/lists.ts'
import { run, serve } from '../support/process.ts'
import { isShared } from '../support/stack.ts'

test('migrate applies the definitions of COLLECTIONS_DIR, and migrate --check lists them', async () => {
  using at = home()
  at.write('lists.json', list())
  const env = { COLLECTIONS_DIR: 'definitions' }
  const migrate = (...args: readonly string[]) => run(['migrate', ...args], { cwd: at.cwd, env })
  const pending = await migrate('--check')
  expect(pending.code).toBe(1)
  if (!isShared) {
    expect(pending.stdout).toEndWith('Pending definitions of COLLECTIONS_DIR, known after these\n')
    expect(readdirSync(at.cwd)).toEqual(['definitions'])
  }
  const first = await migrate()
  expect(first.code).toBe(0)
  expect(first.stdout).toEndWith('Created lists\n')
  expect(await migrate('--check')).toMatchObject({ code: 0, stdout: '' })
  expect(await migrate()).toMatchObject({ code: 0, stdout: 'Up to date\n' })
  at.write('tasks.json', task())
  expect(await migrate('--check')).toMatchObject({ code: 1, stdout: 'Would create tasks\n' })
  at.write('tasks.json', '{')
  for (const args of [['--check'], []]) {
    expect(await migrate(...args)).toMatchObject({ code: 1, stdout: '', stderr: 'tasks.json: Expected JSON\n' })
  }
})

test('where files define the collections, serve has them and the API does not change them', async () => {
  using at = home()
  await admin(at)
  at.write('lists.json', list())
  const env = { COLLECTIONS_DIR: 'definitions', LOG_FORMAT: 'json' }
  if (isShared) await run(['migrate'], { cwd: at.cwd, env })
  await using skep = await serve({ cwd: at.cwd, env })
  const token = await tokenOf(skep)
  expect((await skep.call('GET', '/collections/lists', { token })).status).toBe(200)
  const put = await skep.call('PUT', '/collections/notes', { token, json: { ...list(), name: 'notes' } })
  expect(put).toMatchObject({ status: 409, body: { code: 'managed_by_files' } })
  const removal = await skep.call('DELETE', '/collections/lists', { token })
  expect(removal).toMatchObject({ status: 409, body: { code: 'managed_by_files' } })
})

test('serve does not start with definitions that cannot be used', async () => {
  using at = home()
  const env = { COLLECTIONS_DIR: 'definitions', PORT: '0' }
  at.write('lists.json', { ...list(), owner: 'nobody' })
  at.write('tasks.json', '{')
  const { code, stderr } = await run(['serve'], { cwd: at.cwd, env })
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /^skep: the definitions in COLLECTIONS_DIR cannot be used:\nlists\.json \/owner: .*\ntasks\.json: Expected JSON\n$/,
  )
})

if (isShared) {
  test('on Postgres, serve does not start if the database has other definitions than the folder', async () => {
    using at = home()
    const env = { COLLECTIONS_DIR: 'definitions', PORT: '0' }
    at.write('lists.json', list())
    expect(await run(['serve'], { cwd: at.cwd, env })).toMatchObject({
      code: 1,
      stderr: 'skep: the database differs from COLLECTIONS_DIR (migrating would create lists): run skep migrate\n',
    })
    await run(['migrate'], { cwd: at.cwd, env })
    await using skep = await serve({ cwd: at.cwd, env })
    expect((await skep.call('GET', '//health/ready')).status).toBe(200)
  })
}
