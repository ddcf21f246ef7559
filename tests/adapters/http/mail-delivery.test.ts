import { afterAll, expect, test } from 'bun:test'
import { PermanentFailure } from '../../../src/application/ports/messaging.ts'
import type { Mail } from '../../../src/domain/mail.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { testClock } from '../../support/clock.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'

const MINUTE_MS = 60_000

/** A server whose mail fails as told, and the mails that were tried. */
const open = async () => {
  const clock = testClock()
  const mailbox = createMailbox()
  const tried: Mail[] = []
  const state: { failure: Error | null; slow: number } = { failure: null, slow: 0 }
  const mailer = {
    async send(mail: Mail, signal: AbortSignal) {
      tried.push(mail)
      if (state.failure !== null) throw state.failure
      clock.advance(state.slow)
      await mailbox.send(mail, signal)
    },
  }
  const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { clock, mailer })
  afterAll(skep.close)
  const root = await createFirstAdmin(skep)
  const forgot = (email: string) => skep.call('POST', '/auth/password/forgot', { json: { email } })
  const reset = async (token: string) =>
    (await skep.call('POST', '/auth/password/reset', { json: { token, password: 'a battery staple' } })).status
  const jobs = async (name: string) =>
    (await skep.call('GET', `/admin/jobs?state=${name}`, { token: root.token })).body.items as {
      id: number
      last_error: string
    }[]
  return { clock, mailbox, tried, state, skep, root, forgot, reset, jobs }
}

test('a link is valid for its full lifetime after its mail is handed over, however late', async () => {
  const { clock, mailbox, tried, state, skep, forgot, reset } = await open()
  const ann = await skep.member()
  await mailbox.next(ann.email)
  state.failure = new Error('450 try again')
  const before = tried.length
  await forgot(ann.email)
  // Long enough for each retry to be due, and for what has expired to be cleaned away in between.
  for (let attempts = 1; attempts <= 2; attempts++) {
    await until(() => tried.length === before + attempts)
    clock.advance(2 * 60 * MINUTE_MS)
  }
  state.failure = null
  const token = tokenIn(await mailbox.next(ann.email))
  clock.advance(30 * MINUTE_MS - 1)
  expect(await reset(token)).toBe(204)
})

test('the duration of the hand-over does not count', async () => {
  const { clock, mailbox, state, skep, forgot, reset, jobs } = await open()
  const ann = await skep.member()
  await mailbox.next(ann.email)
  state.slow = 45_000
  await forgot(ann.email)
  const token = tokenIn(await mailbox.next(ann.email))
  await until(async () => (await jobs('running')).length + (await jobs('queued')).length === 2)
  clock.advance(30 * MINUTE_MS - 1)
  expect(await reset(token)).toBe(204)
})

test('a permanently refused mail is dead at once, and its retry has the same Message-ID', async () => {
  const { mailbox, tried, state, skep, root, jobs } = await open()
  state.failure = new PermanentFailure('550 5.1.1 no such user')
  const ann = await skep.member()
  await until(async () => (await jobs('dead')).length === 1)
  const [job] = await jobs('dead')
  expect(job?.last_error).toBe('550 5.1.1 no such user')
  expect(tried).toHaveLength(1)
  state.failure = null
  await skep.call('POST', `/admin/jobs/${job?.id}/retry`, { token: root.token })
  const mail = await mailbox.next(ann.email)
  expect(mail.messageId).toBe(tried[0]?.messageId ?? '')
})

test('the first mails of two installations have nothing in common', async () => {
  const [one, other] = [await open(), await open()]
  const ids = await Promise.all(
    [one, other].map(async ({ skep, mailbox }) => {
      const { email } = await skep.member('first@example.com')
      return (await mailbox.next(email)).messageId
    }),
  )
  expect(ids[0]).not.toBe(ids[1] ?? '')
  for (const id of ids) expect(id).toMatch(/^[\w-]{20,}$/)
})
