import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { openPostgresStore } from '../../src/adapters/postgres/unit-of-work.ts'
import { itemEvent, readEvents } from '../support/events.ts'
import { ask, bytesBelow, change, makeInstallation } from '../support/installation.ts'
import { missing, outsideOfPostgres, testDatabase } from '../support/postgres.ts'
import { type Folder, folder, run, type Skep, serve, spawn } from '../support/process.ts'
import { HAS_S3, newS3Settings, s3Endpoint } from '../support/s3.ts'
import { startS3Proxy } from '../support/s3-proxy.ts'
import { embeddedOnly } from '../support/stack.ts'
import { until } from '../support/until.ts'

const NOBODY = 'postgres://nobody@127.0.0.1:1/nothing'

const copy = (home: Folder, to: string, ...more: string[]) =>
  run(['copy', '--to', to, ...more], { cwd: home.path, env: embeddedOnly })

const dataOf = (home: Folder) => join(home.path, 'data')

const countOf = async (url: string, table: string) =>
  Number((await outsideOfPostgres<{ n: string }>(url, `SELECT count(*) AS n FROM ${table}`))[0]?.n)

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
  test('sees what a killed server left in its log, and leaves that as it is', async () => {
    using home = folder()
    {
      await using skep = await serve({ cwd: home.path, env: embeddedOnly })
      const json = { email: 'ann@example.com', name: 'Ann', password: 'correct horse' }
      expect((await skep.call('POST', '/users/', { json })).status).toBe(201)
      skep.signal('SIGKILL')
    }
    expect(statSync(join(dataOf(home), 'skep.db-wal')).size).toBeGreaterThan(0)
    const before = bytesBelow(dataOf(home))
    const url = await testDatabase('empty')
    expect(await copy(home, url)).toMatchObject({ code: 0, stderr: '' })
    expect(bytesBelow(dataOf(home))).toEqual(before)
    const [user, ...others] = await outsideOfPostgres<{ email: string }>(url, 'SELECT email FROM users')
    expect([user?.email, others.length]).toEqual(['ann@example.com', 0])
  })

  test('continues cursors and ids even if all their rows are gone', async () => {
    using home = folder()
    await makeInstallation(dataOf(home), { items: 50 })
    change(dataOf(home), (database) => {
      database.run('DELETE FROM events')
      database.run('DELETE FROM items WHERE id > 2')
    })
    const url = await testDatabase('empty')
    expect((await copy(home, url)).code).toBe(0)
    const store = openPostgresStore({ url, size: 2 })
    try {
      expect(await store.read((tx) => tx.events.bounds())).toEqual({ last: 50, removed: 50 })
      const item = { ownerId: 1, title: 'x', description: null, data: {}, version: 1, createdAt: 1, updatedAt: 1 }
      const inserted = await store.write(async (tx) => {
        const made = await tx.records('items').insert(item)
        await tx.events.append(itemEvent('created', made))
        return made
      })
      expect(inserted.id).toBe(51)
      const events = await readEvents(store, { after: 50 })
      expect(events.map(({ position }) => position)).toEqual([51])
    } finally {
      await store.close()
    }
  })

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

  test('killed among files it goes on with those that are missing or wrong', async () => {
    using home = folder()
    const files = 60
    await makeInstallation(dataOf(home), { files, size: 1_048_576 })
    const url = await testDatabase('empty')
    const elsewhere = join(home.path, 'elsewhere')
    const there = async () => {
      const entries = existsSync(elsewhere) ? await Array.fromAsync(createFsBlobStore(elsewhere).list()) : []
      return entries.map(({ key }) => key).filter((key) => !key.endsWith('.part'))
    }
    const args = ['copy', '--to', url, '--files', `file:${elsewhere}`]
    {
      await using child = spawn(args, { cwd: home.path, env: embeddedOnly })
      await until(async () => (await there()).length >= 3)
      child.signal('SIGKILL')
    }
    const kept = await there()
    expect(kept.length).toBeLessThan(files)
    expect(await countOf(url, 'users')).toBe(0)
    const [wrong = '', right = ''] = kept
    writeFileSync(join(elsewhere, wrong), new Uint8Array(1_048_576).fill(255))
    const rightBefore = statSync(join(elsewhere, right)).mtimeMs
    const { code, stdout } = await copy(home, url, '--files', `file:${elsewhere}`)
    expect(code).toBe(0)
    expect(stdout).toContain(`Copied and verified (${files} files there, ${files - kept.length + 1} written)`)
    expect(statSync(join(elsewhere, right)).mtimeMs).toBe(rightBefore)
    const source = bytesBelow(join(dataOf(home), 'files'))
    expect(bytesBelow(elsewhere)).toMatchObject(source)
  })

  /** Makes a copy wait in the middle of its rows, lets `interrupt` do its work there, and then lets go. */
  const among = async (home: Folder, interrupt: (child: Skep) => Promise<void> | void) => {
    const url = await testDatabase()
    await using sql = new SQL(url, { max: 1 })
    await sql.unsafe(
      `CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END $$;
       CREATE TRIGGER stop BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION stop();
       SELECT pg_advisory_lock(77)`,
    )
    await using child = spawn(['copy', '--to', url], { cwd: home.path, env: embeddedOnly })
    // Of this database: other tests wait for locks of others.
    const waiting = () =>
      sql`SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted`
    await until(async () => (await waiting()).length > 0)
    await interrupt(child)
    await sql.unsafe('SELECT pg_advisory_unlock(77)')
    const exit = await child.exit()
    await until(async () => (await sql`SELECT FROM pg_stat_activity WHERE datname = current_database()`).length === 1)
    expect(await countOf(url, 'users')).toBe(0)
    await sql.unsafe('DROP TRIGGER stop ON events')
    expect((await copy(home, url)).stdout).toContain('Copied and verified')
    expect(await countOf(url, 'events')).toBe(3_000)
    return exit
  }

  test('killed among rows it leaves none, and succeeds the next time', async () => {
    using home = folder()
    await makeInstallation(dataOf(home), { items: 3_000 })
    expect((await among(home, (child) => child.signal('SIGKILL'))).signal).toBe('SIGKILL')
  })

  test('asked to stop among rows it leaves none, says so, and succeeds the next time', async () => {
    using home = folder()
    await makeInstallation(dataOf(home), { items: 3_000 })
    const { code, signal, stderr } = await among(home, (child) => child.signal('SIGINT'))
    expect([code, signal, stderr]).toEqual([
      1,
      null,
      expect.stringMatching(/^skep: interrupted: .* run the same command again to go on\n$/),
    ])
  })

  test('notices that somebody wrote to the installation meanwhile', async () => {
    using home = folder()
    await makeInstallation(dataOf(home), { items: 3_000 })
    const { code, stderr } = await among(home, () =>
      change(dataOf(home), (database) => database.run("UPDATE users SET name = 'Anna'")),
    )
    expect([code, stderr]).toEqual([1, expect.stringContaining('was changed while it was copied')])
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

  test.skipIf(!HAS_S3)('says why S3 takes files no more, and writes no row', async () => {
    using home = folder()
    await makeInstallation(dataOf(home), { files: 1 })
    await using proxy = startS3Proxy(s3Endpoint())
    const { FILES_URL = '', ...keys } = newS3Settings(proxy.url)
    const url = await testDatabase()
    await using sql = new SQL(url, { max: 1 })
    // So that it waits once it has found the bucket to be there.
    await sql.unsafe('BEGIN; LOCK TABLE migrations')
    const env = { ...embeddedOnly, ...keys }
    await using child = spawn(['copy', '--to', url, '--files', FILES_URL], { cwd: home.path, env })
    await child.stdout.match(/Reading the installation/)
    proxy.refuse(100, 403, 'AccessDenied')
    await sql.unsafe('ROLLBACK')
    const { code, stderr } = await child.exit()
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^skep: The file storage cannot be used .*: S3 answered HEAD 403/),
    ])
    expect(await countOf(url, 'users')).toBe(0)
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
