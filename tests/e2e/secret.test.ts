import { describe, expect, test } from 'bun:test'
import { readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rotateSecret } from '../../src/adapters/fs/data-dir.ts'
import { testClock } from '../support/clock.ts'
import { run } from '../support/process.ts'
import { startSkep, temporaryFolder } from '../support/skep.ts'
import { embeddedOnly } from '../support/stack.ts'

const keyOf = (dataDir: string) => readFileSync(join(dataDir, 'jwt-secret'), 'utf8')

describe('skep secret rotate', () => {
  test('refuses where JWT_SECRET is set, and where there is no key yet', async () => {
    const dataDir = temporaryFolder()
    const given = await run(['secret', 'rotate', '--data-dir', dataDir], {
      cwd: dataDir,
      env: { ...embeddedOnly, JWT_SECRET: 'x'.repeat(32) },
    })
    expect([given.code, given.stderr]).toEqual([2, expect.stringMatching(/^JWT_SECRET: is set, [^\n]*\n$/)])
    const none = await run(['secret', 'rotate', '--data-dir', dataDir], { cwd: tmpdir(), env: embeddedOnly })
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('to rotate')])
  })

  test('makes a new key, and keeps both to their owner', async () => {
    const skep = await startSkep(embeddedOnly)
    const before = keyOf(skep.dataDir)
    const { code, stdout } = await run(['secret', 'rotate', '--data-dir', skep.dataDir], {
      cwd: tmpdir(),
      env: embeddedOnly,
    })
    expect([code, stdout]).toEqual([0, expect.stringContaining('Restart')])
    expect(keyOf(skep.dataDir)).not.toBe(before)
    for (const name of ['jwt-secret', 'jwt-secret.previous']) {
      expect((statSync(join(skep.dataDir, name)).mode & 0o777).toString(8)).toBe('600')
    }
  })
})

describe('a server that starts with a new key', () => {
  const open = async () => {
    const clock = testClock(Date.now())
    const dataDir = temporaryFolder()
    const start = () => startSkep({ ...embeddedOnly, DATA_DIR: dataDir }, { clock })
    const first = await start()
    const ann = await first.member()
    await first.close()
    return { clock, dataDir, start, ann }
  }

  test('accepts tokens of the previous one until they have expired, and refreshes them', async () => {
    const { clock, dataDir, start, ann } = await open()
    rotateSecret(dataDir)
    // The server went on for long with the key it had.
    clock.advance(10 * 60_000)
    const second = await start()
    expect((await second.call('GET', '/users/me', { token: ann.token })).status).toBe(200)
    const form = { grant_type: 'refresh_token', refresh_token: ann.refreshToken }
    const { body } = await second.call('POST', '/auth/token', { form })
    expect((await second.call('GET', '/users/me', { token: String(body.access_token) })).status).toBe(200)
    clock.advance(15 * 60_000)
    expect((await second.call('GET', '/users/me', { token: ann.token })).status).toBe(401)
  })

  test('forgets a key that was replaced twice', async () => {
    const { dataDir, start, ann } = await open()
    rotateSecret(dataDir)
    rotateSecret(dataDir)
    const second = await start()
    expect((await second.call('GET', '/users/me', { token: ann.token })).status).toBe(401)
  })
})
