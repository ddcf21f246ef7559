import { describe, expect, test } from 'bun:test'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { openPostgresStore } from '../../src/adapters/postgres/unit-of-work.ts'
import { copy, countOf, dataOf } from '../support/copying.ts'
import { itemEvent, readEvents } from '../support/events.ts'
import { bytesBelow, change, makeInstallation } from '../support/installation.ts'
import { missing, outsideOfPostgres, testDatabase } from '../support/postgres.ts'
import { type Folder, folder, type Skep, serve, spawn } from '../support/process.ts'
import { HAS_S3, newS3Settings, s3Endpoint } from '../support/s3.ts'
import { startS3Proxy } from '../support/s3-proxy.ts'
import { embeddedOnly } from '../support/stack.ts'
import { until } from '../support/until.ts'

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
})
