import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'
import { type FileBody, upload } from '../../support/uploads.ts'

const skep = await startSkep({ MAX_UPLOAD_SIZE: '64kb' }, { mailer: createMailbox() })

const root = await createFirstAdmin(skep)

describe('a file', () => {
  test('is visible to its owner and to admins; for others it does not exist', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    const { id } = (await upload(skep.call, { token: ann.token })).body
    for (const path of [`/files/${id}`, `/files/${id}/content`, `/files/${id}/links`]) {
      const statuses = [ann.token, root.token, bob.token, undefined].map(
        async (token) => (await skep.call('GET', path, { token })).status,
      )
      expect({ path, statuses: await Promise.all(statuses) }).toEqual({ path, statuses: [200, 200, 404, 401] })
    }
    expect((await skep.call('DELETE', `/files/${id}`, { token: bob.token })).status).toBe(404)
  })

  test('that is deleted is gone at once, and its bytes soon after', async () => {
    const { token } = await skep.member()
    const before = await skep.blobs()
    const { id } = (await upload(skep.call, { token })).body
    expect((await skep.call('DELETE', `/files/${id}`, { token })).status).toBe(204)
    expect((await skep.call('GET', `/files/${id}/content`, { token })).status).toBe(404)
    expect((await skep.call('DELETE', `/files/${id}`, { token })).status).toBe(404)
    await until(async () => (await skep.blobs()).length === before.length)
  })

  test('goes with its owner, and so do its bytes', async () => {
    const ann = await skep.member()
    const before = (await skep.blobs()).length
    const ids = [(await upload(skep.call, ann)).body.id, (await upload(skep.call, ann)).body.id]
    expect(
      (await skep.call('DELETE', '/users/me', { token: ann.token, json: { current_password: ann.password } })).status,
    ).toBe(204)
    await until(async () => (await skep.blobs()).length === before)
    for (const id of ids) expect((await skep.call('GET', `/files/${id}`, { token: root.token })).status).toBe(404)
  })

  test('lists contain one’s own; admins see everyone’s and may filter', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    const uploaded = []
    for (let n = 0; n < 3; n++)
      uploaded.push((await upload(skep.call, { token: ann.token, filename: `${n}.png` })).body.id)
    await upload(skep.call, { token: bob.token })
    interface Page {
      readonly items: readonly FileBody[]
      readonly total: number
      readonly next_cursor: string | null
    }
    const list = (query: string, token = ann.token) => skep.call<Page>('GET', `/files/?${query}`, { token })
    const first = (await list('size=2')).body
    expect([first.total, first.items.map(({ id }) => id)]).toEqual([3, uploaded.toReversed().slice(0, 2)])
    const rest = (await list(`size=2&cursor=${first.next_cursor}`)).body
    expect([rest.next_cursor, rest.items.map(({ id }) => id)]).toEqual([null, uploaded.slice(0, 1)])
    expect((await list(`owner_id=${bob.id}`)).status).toBe(403)
    expect((await list(`owner_id=${ann.id}`)).body.total).toBe(3)
    expect((await list(`owner_id=${bob.id}`, root.token)).body.total).toBe(1)
    expect((await list('', root.token)).body.total).toBeGreaterThan(3)
  })

  test('the folder of files is one of the parts that must work', async () => {
    expect((await skep.call('GET', '//health/ready')).body).toMatchObject({ checks: { files: 'ok' } })
  })
})
