import { describe, expect, test } from 'bun:test'
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cannotMount, smallDisk } from '../support/disk.ts'
import { blobsIn, countItems, create, LARGE, newMember } from '../support/on-disk.ts'
import { entriesOf, folder, run, type Server, serve } from '../support/process.ts'
import { signIn } from '../support/skep.ts'
import { openSocket } from '../support/socket.ts'
import { embeddedOnly } from '../support/stack.ts'
import { until } from '../support/until.ts'
import { PNG, upload } from '../support/uploads.ts'

const DISK_MB = 12

/** What is refused depends on whether the reserve was seen to be reached before the disk was full. */
const FULL = expect.stringMatching(/^storage_(full|reserved)$/)

const ready = async (skep: Server) => {
  const { status, body } = await skep.call<{ checks: Record<string, string> }>('GET', '//health/ready')
  return [status, body.checks] as const
}

/** Waits until the server says that it is not ready, and returns its checks. Each thread looks once a second. */
const notReady = async (skep: Server) => {
  for (;;) {
    const [status, checks] = await ready(skep)
    if (status === 503) return checks
  }
}

/** Makes items until one is refused. */
const createUntilRefused = async (skep: Server, token: string) => {
  for (;;) {
    const answer = await create(skep, token)
    if (answer.status !== 201) return answer
  }
}

describe.skipIf(cannotMount)('on a full disk', () => {
  const full = async (skep: Server, fill: () => void) => {
    const { token } = await newMember(skep)
    const { body } = await create(skep, token)
    fill()
    const refusal = await createUntilRefused(skep, token)
    return { token, id: body.id, refusal, total: await countItems(skep, token) }
  }

  test('writes get 507 storage_full and store nothing', async () => {
    using disk = smallDisk(DISK_MB)
    await using skep = await serve({ cwd: disk.path, env: embeddedOnly })
    const { token, id, refusal, total } = await full(skep, disk.fill)
    expect(refusal.status).toBe(507)
    expect(refusal.body).toMatchObject({ code: FULL, status: 507 })
    expect(Number(refusal.headers.get('retry-after'))).toBeGreaterThan(0)

    const operations = Array.from({ length: 50 }, () => ({ op: 'create', title: 'Elm', description: LARGE }))
    expect((await skep.call('POST', '/items/batch', { token, json: { operations } })).status).toBe(507)
    expect((await skep.call('DELETE', `/items/${id}`, { token })).status).toBe(507)
    expect(await countItems(skep, token)).toBe(total)
    await using socket = await openSocket(skep.url, { token })
    await socket.subscribe('items', 0)
    await until(async () => socket.events().length >= total)
    expect(socket.events()).toHaveLength(total)
  })

  test('reads go on, the process is well, and is not ready', async () => {
    using disk = smallDisk(DISK_MB)
    await using skep = await serve({ cwd: disk.path, env: embeddedOnly })
    expect((await ready(skep))[0]).toBe(200)
    const { token, id } = await full(skep, disk.fill)
    expect((await skep.call('GET', `/items/${id}`, { token })).status).toBe(200)
    expect((await skep.call('GET', '//health')).status).toBe(200)
    // Each is looked at by itself.
    for (const part of ['database', 'files']) await until(async () => (await notReady(skep))[part] === 'failed')
  })

  test('an upload is answered 507 and leaves no byte behind', async () => {
    using disk = smallDisk(DISK_MB)
    await using skep = await serve({ cwd: disk.path, env: { ...embeddedOnly, UPLOAD_TYPES: '*/*' } })
    const { token } = await newMember(skep)
    expect((await upload(skep.call, { token })).status).toBe(201)
    const large = await upload(skep.call, { token, content: Buffer.alloc(9_500_000, 'x') })
    expect(large.status).toBe(201)
    const refused = await upload(skep.call, { token, content: Buffer.alloc(9_500_000, 'y') })
    expect([refused.status, refused.body.code]).toEqual([507, FULL])
    disk.fill()
    // Not even a folder for it can be made.
    const none = await Promise.all(Array.from({ length: 8 }, () => upload(skep.call, { token })))
    expect(none.map(({ body }) => body.code)).toEqual(Array(8).fill(FULL))
    expect(blobsIn(skep.dataDir)).toHaveLength(2)
  })

  test('everything works again once there is space, without a restart', async () => {
    using disk = smallDisk(DISK_MB)
    await using skep = await serve({ cwd: disk.path, env: { ...embeddedOnly, LOG_FORMAT: 'json' } })
    const { token, total } = await full(skep, disk.fill)
    expect((await upload(skep.call, { token })).status).toBe(507)
    disk.makeRoom()
    // Each thread looks at the free space once a second.
    await until(async () => (await create(skep, token)).status === 201)
    await until(async () => (await upload(skep.call, { token })).status === 201)
    expect(await countItems(skep, token)).toBe(total + 1)
    await until(async () => (await ready(skep))[0] === 200)
    skep.signal('SIGTERM')
    const { code, stdout } = await skep.exit()
    expect(code).toBe(0)
    expect(entriesOf(stdout).filter(({ msg }) => msg === 'job lost')).toEqual([])
  })

  test('one that was killed does not start, and has everything once there is room', async () => {
    using disk = smallDisk(DISK_MB)
    const total = await (async () => {
      await using skep = await serve({ cwd: disk.path, env: embeddedOnly })
      const made = await full(skep, disk.fill)
      skep.signal('SIGKILL')
      await skep.exit()
      return made.total
    })()
    const { code, stderr } = await run(['serve', '--port', '0'], { cwd: disk.path, env: embeddedOnly })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^skep: .*full\n$/)])
    disk.makeRoom()
    await using again = await serve({ cwd: disk.path, env: embeddedOnly })
    const { token } = await signIn(again.call, { id: 0, email: 'ann@example.com', password: 'correct horse' })
    expect(await countItems(again, token)).toBe(total)
  })

  test('before it is full users are refused, an admin can sign in and delete, and that makes room', async () => {
    // The reserve is a tenth of it: more than is written between two looks at the disk.
    const megabytes = 256
    using disk = smallDisk(megabytes)
    await using skep = await serve({ cwd: disk.path, env: { ...embeddedOnly, UPLOAD_TYPES: '*/*' } })
    const { token, id } = await newMember(skep)
    const password = 'correct horse'
    const made = ['admin', 'create', 'root@example.com', '--password-stdin']
    expect((await run(made, { cwd: disk.path, env: embeddedOnly, stdin: password })).code).toBe(0)
    for (let n = 0; n < 4; n++) {
      expect((await upload(skep.call, { token, content: Buffer.alloc(9_000_000, `${n}`) })).status).toBe(201)
    }
    const { bavail, bsize } = statfsSync(disk.path)
    writeFileSync(join(disk.path, 'ballast'), Buffer.alloc(bavail * bsize - 20_000_000, 'x'))
    await until(async () => (await create(skep, token)).body.code === 'storage_reserved')
    const root = await signIn(skep.call, { id: 0, email: 'root@example.com', password })
    expect((await skep.call('GET', '/users/me', { token })).status).toBe(200)
    const json = { is_active: false }
    expect((await skep.call('PATCH', `/users/${id}`, { token: root.token, json })).status).toBe(200)
    expect((await skep.call('DELETE', `/users/${id}`, { token: root.token })).status).toBe(204)
    await until(() => blobsIn(skep.dataDir).length === 0)
    const other = { email: 'bob@example.com', name: 'Bob', password }
    await until(async () => (await skep.call('POST', '/users/', { json: other })).status === 201)
  })

  test('serve says so and exits 1', async () => {
    using disk = smallDisk(1)
    disk.fill()
    const { code, stderr } = await run(['serve', '--port', '0'], { cwd: disk.path, env: embeddedOnly })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^skep: .*(full|no space).*\n$/i)])
  })
})

describe.skipIf(cannotMount)('on a disk that cannot be written to', () => {
  test.each(['a new', 'a used'])('serve with %s data folder says so and exits 1', async (kind) => {
    using disk = smallDisk(DISK_MB)
    if (kind === 'a used') {
      await using skep = await serve({ cwd: disk.path, env: embeddedOnly })
      await newMember(skep)
      skep.signal('SIGTERM')
      await skep.exit()
    }
    disk.setReadOnly(true)
    const { code, stderr } = await run(['serve', '--port', '0'], { cwd: disk.path, env: embeddedOnly })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^skep: .*read-only file system.*\/data'\n$/)])
  })

  test('uploads are answered 503, downloads work, readiness reports it, and it recovers', async () => {
    using home = folder()
    using disk = smallDisk(DISK_MB)
    const files = join(disk.path, 'files')
    mkdirSync(files)
    await using skep = await serve({ cwd: home.path, env: { ...embeddedOnly, FILES_URL: `file:${files}` } })
    const { token } = await newMember(skep)
    const { body } = await upload(skep.call, { token })
    disk.setReadOnly(true)
    const refused = await upload(skep.call, { token })
    expect([refused.status, refused.body.code]).toEqual([503, 'unavailable'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await skep.call('GET', `//api/v1/files/${body.id}/content`, { token })).status).toBe(200)
    expect(await notReady(skep)).toMatchObject({ database: 'ok', files: 'failed' })
    disk.setReadOnly(false)
    await until(async () => (await upload(skep.call, { token, content: PNG })).status === 201)
    await until(async () => (await ready(skep))[0] === 200)
  })
})
