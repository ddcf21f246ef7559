import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { copy, countOf, dataOf } from '../support/copying.ts'
import { ask, change, makeInstallation } from '../support/installation.ts'
import { missing, outsideOfPostgres, testDatabase } from '../support/postgres.ts'
import { folder, run, serve } from '../support/process.ts'
import { embeddedOnly } from '../support/stack.ts'

const NOBODY = 'postgres://nobody@127.0.0.1:1/nothing'

describe('copy is wrong usage, exit 2, and touches nothing', () => {
  test.each([
    ['without --to', [], /--to/],
    ['to another embedded database', ['--to', 'sqlite:other.db'], /^--to: expected postgres:\/\/…\n$/],
    ['to what is no URL', ['--to', 'postgres:'], /^--to: expected postgres:\/\/…\n$/],
    ['with files to nowhere', ['--to', NOBODY, '--files', 'ftp://x'], /^--files: expected file:PATH or s3:/],
    [
      'with files to S3 but no keys',
      ['--to', NOBODY, '--files', 's3://bucket?endpoint=http://127.0.0.1:1'],
      /^AWS_ACCESS_KEY_ID: .*\nAWS_SECRET_ACCESS_KEY: .*\n$/,
    ],
  ])('%s', async (_, args, said) => {
    using home = folder()
    const { code, stdout, stderr } = await run(['copy', ...args], { cwd: home.path, env: embeddedOnly })
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(said)
    expect(readdirSync(home.path)).toEqual([])
  })

  test('if standard input has no Postgres URL', async () => {
    using home = folder()
    const { code, stderr } = await run(['copy', '--to', '-'], {
      cwd: home.path,
      env: embeddedOnly,
      stdin: 'sqlite:other.db\n',
    })
    expect([code, stderr]).toEqual([2, '--to: expected postgres://…\n'])
  })

  test('of an installation that is not embedded', async () => {
    using home = folder()
    const env = { DATABASE_URL: NOBODY, JWT_SECRET: 'x'.repeat(32) }
    const { code, stderr } = await run(['copy', '--to', NOBODY], { cwd: home.path, env })
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^DATABASE_URL: expected sqlite:PATH/)])
  })
})

describe('copy is refused with 1 and one line', () => {
  test('if there is no installation, and creates none', async () => {
    using home = folder()
    const { code, stderr } = await copy(home, NOBODY)
    expect([code, stderr]).toEqual([1, `skep: there is no database at ${join(dataOf(home), 'skep.db')}\n`])
    expect(readdirSync(home.path)).toEqual([])
  })

  test('where there is no installation, with the target on standard input', async () => {
    using home = folder()
    const { code, stderr } = await run(['copy', '--to', '-'], {
      cwd: home.path,
      env: embeddedOnly,
      stdin: `${NOBODY}\n`,
    })
    expect([code, stderr]).toEqual([1, `skep: there is no database at ${join(dataOf(home), 'skep.db')}\n`])
  })

  test('while a server runs on it', async () => {
    using home = folder()
    await using _skep = await serve({ cwd: home.path, env: embeddedOnly })
    const { code, stderr } = await copy(home, NOBODY)
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^skep: a server has \S+skep\.db open: stop it first\n$/)])
  })

  test('when it lacks migrations, or a newer program wrote it', async () => {
    using home = folder()
    await makeInstallation(dataOf(home))
    change(dataOf(home), (database) => database.run("INSERT INTO migrations VALUES ('9999_future', '', '')"))
    expect((await copy(home, NOBODY)).stderr).toContain('newer than this program')
    change(dataOf(home), (database) => database.run("DELETE FROM migrations WHERE name > '0006'"))
    expect(await copy(home, NOBODY)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('lacks 0006_events_in_order: run skep migrate on it first'),
    })
  })
})

describe.skipIf(missing)('copy, with SKEP_TEST_POSTGRES_URL', () => {
  test('an empty installation is copied too, and recognized again', async () => {
    using home = folder()
    await makeInstallation(dataOf(home))
    change(dataOf(home), (database) => {
      for (const table of ['users', 'items', 'events']) database.run(`DELETE FROM ${table}`)
    })
    const url = await testDatabase('empty')
    expect((await copy(home, url)).stdout).toContain('Copied and verified')
    expect((await copy(home, url)).stdout).toContain('a finished copy already')
  })

  test('refuses a target with one value changed, and leaves it so', async () => {
    using home = folder()
    await makeInstallation(dataOf(home))
    const url = await testDatabase('empty')
    await copy(home, url)
    await outsideOfPostgres(url, "UPDATE items SET title = 'other' WHERE id = 2")
    const { code, stderr } = await copy(home, url)
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^skep: .*neither empty nor a copy.* items \(3 there, 3 here\)\n$/),
    ])
    expect(await countOf(url, "items WHERE title = 'other'")).toBe(1)
  })

  test('refuses a target in use before it copies files', async () => {
    using home = folder()
    await makeInstallation(dataOf(home), { files: 1 })
    const url = await testDatabase()
    await outsideOfPostgres(
      url,
      "INSERT INTO jobs (kind, payload, state, attempts, run_at, created_at, updated_at) VALUES ('x', '{}', 'queued', 0, 1, 1, 1)",
    )
    const files = join(home.path, 'elsewhere')
    const { code, stderr } = await copy(home, url, '--files', `file:${files}`)
    expect([code, stderr]).toEqual([1, expect.stringContaining('neither empty nor a copy')])
    expect(existsSync(files) ? readdirSync(files) : []).toEqual([])
  })

  test('names each value that Postgres cannot store, before anything is written', async () => {
    using home = folder()
    await makeInstallation(dataOf(home))
    change(dataOf(home), (database) => {
      database.run("UPDATE items SET description = 'a' || char(0) || 'b' WHERE id = 2")
      database.run("INSERT INTO sessions VALUES (7, 1, char(0), '', 1, 1, 1)")
    })
    const url = await testDatabase('empty')
    const { code, stderr } = await copy(home, url)
    expect([code, stderr.split('\n')]).toEqual([
      1,
      [
        'sessions 7: device holds a NUL character, which Postgres cannot keep',
        'items 2: description holds a NUL character, which Postgres cannot keep',
        'skep: 2 rows cannot be copied: nothing was written',
        '',
      ],
    ])
    expect(await outsideOfPostgres(url, "SELECT FROM pg_tables WHERE schemaname = 'public'")).toHaveLength(0)
  })

  test('names each file without bytes, copies the others, and writes no row', async () => {
    using home = folder()
    await makeInstallation(dataOf(home), { files: 6 })
    const keys = ask<{ blob_key: string }>(dataOf(home), 'SELECT blob_key FROM files ORDER BY id')
    const pathOf = (id: number) => join(dataOf(home), 'files', keys[id - 1]?.blob_key ?? '')
    rmSync(pathOf(2))
    writeFileSync(pathOf(4), new Uint8Array(100).fill(200))
    writeFileSync(pathOf(5), 'short')
    const url = await testDatabase('empty')
    const elsewhere = join(home.path, 'elsewhere')
    for (const more of [['--files', `file:${elsewhere}`], []]) {
      const { code, stderr } = await copy(home, url, ...more)
      expect(code).toBe(1)
      expect(stderr.split('\n').slice(0, -2).sort()).toEqual([
        expect.stringMatching(/^file 2: what is kept under \S+ is missing$/),
        expect.stringMatching(/^file 4: what is kept under \S+ has another SHA-256$/),
        expect.stringMatching(/^file 5: what is kept under \S+ has 5 bytes, not 100$/),
      ])
      expect(stderr).toMatch(/skep: 3 files have no sound bytes/)
      expect(await countOf(url, 'users')).toBe(0)
    }
    expect(await Array.fromAsync(createFsBlobStore(elsewhere).list())).toHaveLength(3)
  })

  test('does not wait for a lock on the target', async () => {
    using home = folder()
    await makeInstallation(dataOf(home))
    const url = await testDatabase()
    await using sql = new SQL(url, { max: 1 })
    await sql.unsafe('BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE')
    const { code, stderr } = await copy(home, url)
    expect([code, stderr]).toEqual([1, expect.stringMatching(/another process writes to it: stop that first\n$/)])
  })

  test('never shows the password of the target', async () => {
    using home = folder()
    await makeInstallation(dataOf(home))
    const url = new URL(await testDatabase('empty'))
    url.password = 'hunter2'
    const { code, stdout, stderr } = await copy(home, url.href)
    expect(code).toBe(0)
    expect(stdout).toContain(`DATABASE_URL=postgres://${url.username}:***@${url.host}${url.pathname}`)
    expect(stdout + stderr).not.toContain('hunter2')
  })
})
