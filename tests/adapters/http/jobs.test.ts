import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'

interface JobBody {
  readonly id: number
  readonly kind: string
  readonly state: string
  readonly last_error: string | null
}

const mailbox = createMailbox()
let working = false
const skep = await startSkep(
  {},
  { mailer: { send: (mail, signal) => (working ? mailbox.send(mail, signal) : Promise.reject(new Error('refused'))) } },
)
const root = await createFirstAdmin(skep)

const list = (query = '') =>
  skep.call<{ items: readonly JobBody[] }>('GET', `/admin/jobs${query}`, { token: root.token })

/** A mail that could not be sent, waiting for its next attempt. */
const failedMail = async (): Promise<JobBody> => {
  await skep.member()
  for (;;) {
    const failed = (await list('?state=queued')).body.items.find(({ last_error }) => last_error !== null)
    if (failed !== undefined) return failed
  }
}

describe('the admin’s view of jobs', () => {
  test('is for admins', async () => {
    const ann = await skep.member()
    for (const [method, path] of [
      ['GET', '/admin/jobs'],
      ['POST', '/admin/jobs/1/retry'],
      ['DELETE', '/admin/jobs/1'],
    ] as const) {
      expect((await skep.call(method, path, { token: ann.token })).status).toBe(403)
      expect((await skep.call(method, path)).status).toBe(401)
    }
  })

  test('lists them by state, with the reason of a failure and without their payload', async () => {
    const job = await failedMail()
    expect(job).toMatchObject({ kind: 'mail', state: 'queued', last_error: 'refused' })
    expect(Object.keys(job).sort()).toEqual([
      'attempts',
      'created_at',
      'id',
      'kind',
      'last_error',
      'run_at',
      'state',
      'updated_at',
    ])
    expect((await list('?state=dead')).body.items).toEqual([])
    expect((await list('?state=lost')).status).toBe(422)
  })

  test('runs a job at once on request', async () => {
    const { id } = await failedMail()
    working = true
    const { status, body } = await skep.call('POST', `/admin/jobs/${id}/retry`, { token: root.token })
    expect([status, body.state]).toEqual([200, 'queued'])
    await until(async () => (await list('?state=done')).body.items.some((job) => job.id === id))
    working = false
  })

  test('removes a job', async () => {
    const { id } = await failedMail()
    const remove = () => skep.call('DELETE', `/admin/jobs/${id}`, { token: root.token })
    expect([(await remove()).status, (await remove()).status]).toEqual([204, 404])
  })

  test('returns 404 for a missing one', async () => {
    expect((await skep.call('POST', '/admin/jobs/999999/retry', { token: root.token })).status).toBe(404)
  })
})
