import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createFirstAdmin } from '../../support/admin.ts'
import { startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'

interface BackupBody {
  readonly id: number
  readonly state: string
  readonly name: string | null
  readonly size: number | null
  readonly sha256: string | null
  readonly encrypted: boolean
  readonly verified_at: string | null
  readonly detail: string | null
}

const skep = await startSkep({}, {})
const root = await createFirstAdmin(skep)
const { token } = root

const backup = async (id: number) => (await skep.call<BackupBody>('GET', `/admin/backups/${id}`, { token })).body

/** The backup once it has ended. */
const ended = async (id: number): Promise<BackupBody> => {
  await until(async () => (await backup(id)).state !== 'running')
  return backup(id)
}

const create = async (): Promise<BackupBody> => {
  const { body } = await skep.call<BackupBody>('POST', '/admin/backups', { token })
  return ended(body.id)
}

const archives = () => {
  const folder = join(skep.dataDir, 'backups')
  return existsSync(folder) ? readdirSync(folder) : []
}

describe('backups', () => {
  test('are for admins', async () => {
    const ann = await skep.member()
    for (const [method, path] of [
      ['GET', '/admin/backups'],
      ['POST', '/admin/backups'],
      ['GET', '/admin/backups/1'],
      ['DELETE', '/admin/backups/1'],
      ['GET', '/admin/backups/1/content'],
      ['POST', '/admin/backups/1/verify'],
    ] as const) {
      expect((await skep.call(method, path, { token: ann.token })).status).toBe(403)
      expect((await skep.call(method, path)).status).toBe(401)
    }
  })

  test('are made by a job, and have their size and checksum', async () => {
    const { status, headers, body } = await skep.call<BackupBody>('POST', '/admin/backups', { token })
    expect({ status, location: headers.get('location') }).toEqual({
      status: 202,
      location: `/api/v1/admin/backups/${body.id}`,
    })
    expect(body).toMatchObject({ state: 'running', size: null, sha256: null, encrypted: false, detail: null })
    const done = await ended(body.id)
    expect(done).toMatchObject({ state: 'done', encrypted: false, detail: null })
    const archive = Bun.file(join(skep.dataDir, 'backups', String(done.name)))
    expect(done.size).toBe(archive.size)
    expect(done.sha256).toBe(new Bun.CryptoHasher('sha256').update(await archive.bytes()).digest('hex'))
  })

  test('run one at a time', async () => {
    const answers = await Promise.all([1, 2].map(() => skep.call<BackupBody>('POST', '/admin/backups', { token })))
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409])
    for (const { status, body } of answers) if (status === 202) await ended(body.id)
  })

  test('are removed with their archive', async () => {
    const { id, name } = await create()
    expect(archives()).toContain(String(name))
    expect((await skep.call('DELETE', `/admin/backups/${id}`, { token })).status).toBe(204)
    expect((await skep.call('GET', `/admin/backups/${id}`, { token })).status).toBe(404)
    await until(async () => !archives().includes(String(name)))
  })

  test('are downloaded by a link, until its creator signs out', async () => {
    const { id, sha256 } = await create()
    const { body: session } = await skep.call<{ access_token: string }>('POST', '/auth/token', {
      form: { username: root.email, password: root.password },
    })
    const { status, body: link } = await skep.call<{ url: string }>('POST', `/admin/backups/${id}/links`, {
      token: session.access_token,
      json: { expires_in: 60 },
    })
    expect(status).toBe(201)
    const downloaded = await fetch(link.url)
    expect(new Bun.CryptoHasher('sha256').update(await downloaded.bytes()).digest('hex')).toBe(String(sha256))
    expect(downloaded.headers.get('content-disposition')).toStartWith('attachment')
    expect((await fetch(link.url.replace(/expires=\d+/, 'expires=9999999999'))).status).toBe(404)
    const { body: sessions } = await skep.call<{ items: { id: number; current: boolean }[] }>('GET', '/auth/sessions', {
      token: session.access_token,
    })
    const own = sessions.items.find(({ current }) => current)
    await skep.call('DELETE', `/auth/sessions/${own?.id}`, { token: session.access_token })
    expect((await fetch(link.url)).status).toBe(404)
  })

  test('are verified by a job', async () => {
    const { id } = await create()
    expect((await skep.call<BackupBody>('POST', `/admin/backups/${id}/verify`, { token })).status).toBe(202)
    await until(async () => (await backup(id)).detail?.startsWith('Verified: ') === true)
    expect((await backup(id)).verified_at).not.toBeNull()
  })

  test('that were damaged are not verified', async () => {
    const { id, name } = await create()
    const path = join(skep.dataDir, 'backups', String(name))
    const bytes = await Bun.file(path).bytes()
    await Bun.write(path, bytes.subarray(0, bytes.length - 100))
    await skep.call('POST', `/admin/backups/${id}/verify`, { token })
    await until(async () => (await backup(id)).detail === 'Not verified: the archive is damaged or ends early')
    expect((await backup(id)).verified_at).toBeNull()
  })
})

