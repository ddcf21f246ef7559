import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fields } from '../support/call.ts'
import { ask, bytesBelow, change } from '../support/installation.ts'
import { createMailbox, tokenIn } from '../support/mail.ts'
import { missing, outsideOfPostgres, testDatabase } from '../support/postgres.ts'
import { run } from '../support/process.ts'
import { HAS_S3, newS3Settings } from '../support/s3.ts'
import { type Member, signIn, startSkep, type TestSkep, temporaryFolder } from '../support/skep.ts'
import { openSocket } from '../support/socket.ts'
import { embeddedOnly } from '../support/stack.ts'
import { upload } from '../support/uploads.ts'

interface ItemBody {
  readonly id: number
  readonly version: number
}
interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

/** Each server gives out cursors of its own epoch. */
const withoutEpoch = (text: string) => text.replace(/"cursor":"[0-9a-z]+\./, '"cursor":".')

/** Nothing but what JSON can carry, some of which other stores change. */
const ODD = {
  z: 1,
  a: [1e21, 0.1, -0, 9007199254740991],
  '': null,
  'é😀': 'line\u2028break',
  escaped: '\u0000 \ud800',
  __proto__x: { '10': 1, '9': 2 },
}

const refresh = (skep: TestSkep, token: string) =>
  skep.call<Tokens>('POST', '/auth/token', { form: { grant_type: 'refresh_token', refresh_token: token } })

const create = async (skep: TestSkep, { token }: Member, json: Fields, key?: string) => {
  const headers = key === undefined ? {} : { 'idempotency-key': key }
  return skep.call<ItemBody>('POST', '/items/', { token, json, headers })
}

/** Something of all that people can leave behind. */
const live = async (skep: TestSkep, mailbox: ReturnType<typeof createMailbox>) => {
  const ann = await skep.member('ann@example.com')
  const bob = await skep.member('bob@example.com')
  const verification = tokenIn(await mailbox.next(ann.email))
  const other = await signIn(skep.call, ann)
  const [spent, unspent] = [other.refreshToken, (await refresh(skep, other.refreshToken)).body.refresh_token]

  const first = await create(skep, ann, { title: 'Größe ÉCOLE', description: 'über\n\ttabs', data: ODD }, 'the-key')
  for (const title of ['two', 'three', 'four', 'five']) await create(skep, ann, { title })
  await create(skep, bob, { title: 'of somebody else' })
  const page = await skep.call<{ next_cursor: string }>('GET', '/items/?size=2&sort=title', { token: ann.token })
  const next = await skep.call('GET', `/items/?size=2&sort=title&cursor=${page.body.next_cursor}`, { token: ann.token })

  await using socket = await openSocket(skep.url, { token: ann.token })
  const { cursor } = await socket.subscribe('items')
  await skep.call('PATCH', `/items/${first.body.id}`, { token: ann.token, json: { title: 'changed' } })
  const gone = await create(skep, ann, { title: 'soon gone' })
  await skep.call('DELETE', `/items/${gone.body.id}`, { token: ann.token })
  await socket.until(() => socket.events().length === 3)
  const events = socket.texts.filter((text) => text.includes('"type":"event"'))

  const contents = ['', 'small', crypto.getRandomValues(new Uint8Array(9 * 1_048_576))]
  const files = []
  for (const content of contents) files.push((await upload(skep.call, { token: ann.token, content })).body)
  const linked = await skep.call<{ url: string }>('POST', `/files/${files[2]?.id}/links`, {
    token: ann.token,
    json: { expires_in: 3_600 },
  })
  const lost = (await upload(skep.call, { token: bob.token, content: 'of one who leaves' })).body
  await skep.call('DELETE', `/files/${lost.id}`, { token: bob.token })
  return { ann, bob, verification, spent, unspent, first, page, next, cursor, events, gone, files, contents, linked }
}

const all = async (skep: TestSkep, { token }: Member, { files }: { readonly files: readonly { id: number }[] }) => ({
  me: (await skep.call('GET', '/users/me', { token })).body,
  items: (await skep.call('GET', '/items/?size=100', { token })).body,
  found: (await skep.call('GET', '/items/?q=chan', { token })).body,
  sessions: (await skep.call<{ items: Fields[] }>('GET', '/auth/sessions', { token })).body.items.map(({ id }) => id),
  files: await Promise.all(files.map(async ({ id }) => (await skep.call('GET', `/files/${id}`, { token })).body)),
})

const places = [
  ['into a folder', false, () => ({ FILES_URL: `file:${join(temporaryFolder(), 'files')}` })],
  ['to S3', true, () => newS3Settings()],
] as const

describe.skipIf(missing)('a copied installation, with SKEP_TEST_POSTGRES_URL', () => {
  for (const [where, onS3, place] of places) {
    test.skipIf(onS3 && !HAS_S3)(`its files ${where}, goes on as if nothing had happened`, async () => {
      const DATA_DIR = join(temporaryFolder(), 'data')
      const home = { UPLOAD_TYPES: '*/*', ...embeddedOnly }
      const mailbox = createMailbox()
      const old = await startSkep({ DATA_DIR, ...home }, { mailer: mailbox })
      const lived = await live(old, mailbox)
      const { ann, bob, first, files } = lived
      const before = await all(old, ann, lived)
      await old.close()
      change(DATA_DIR, (database) => {
        database.run('UPDATE refresh_tokens SET spent_at = spent_at - 60000')
        for (const [state, kind] of [
          ['queued', 'later'],
          ['dead', 'mail'],
          ['running', 'lost'],
        ] as const) {
          database.run(
            `INSERT INTO jobs (kind, payload, state, attempts, run_at, lease_until, last_error, created_at, updated_at)
             VALUES (?, '{"to":"é"}', ?, 8, 9e12, iif(? = 'running', 9e12, NULL), 'no ☎', 5, 6)`,
            [kind, state, state],
          )
        }
      })
      const jobs = ask<Fields>(DATA_DIR, 'SELECT id, kind, payload, state, last_error FROM jobs ORDER BY id')
      const untouched = bytesBelow(DATA_DIR)

      const url = await testDatabase('empty')
      const { FILES_URL, ...keys } = { ...place() }
      const args = ['copy', '--to', url, '--files', FILES_URL ?? '', '--data-dir', DATA_DIR]
      const env = { ...embeddedOnly, ...keys }
      const copied = await run(args, { cwd: temporaryFolder(), env })
      expect(copied).toMatchObject({ code: 0, stderr: '' })
      expect(copied.stdout).toContain(`JWT_SECRET: the content of ${join(DATA_DIR, 'jwt-secret')}`)
      const secret = readFileSync(join(DATA_DIR, 'jwt-secret'), 'utf8').trim()
      expect(copied.stdout).not.toContain(secret)
      expect(bytesBelow(DATA_DIR)).toEqual(untouched)
      expect(
        await outsideOfPostgres<Fields>(
          url,
          'SELECT id::integer, kind, payload, state, last_error FROM jobs ORDER BY id',
        ),
      ).toEqual(jobs)

      const again = await run(args, { cwd: temporaryFolder(), env })
      expect(again).toMatchObject({ code: 0, stderr: '' })
      expect(again.stdout).toContain('a finished copy already')

      const skep = await startSkep({
        ...home,
        ...keys,
        DATABASE_URL: url,
        JWT_SECRET: secret,
        FILES_URL: FILES_URL ?? '',
      })
      expect(await all(skep, ann, lived)).toEqual(before)
      const item = await skep.call<{ data: unknown }>('GET', `/items/${first.body.id}`, { token: ann.token })
      expect(JSON.stringify(item.body.data)).toBe(JSON.stringify(ODD))

      for (const [nth, file] of files.entries()) {
        const response = await fetch(skep.url + file.path, { headers: { authorization: `Bearer ${ann.token}` } })
        expect(Buffer.from(await response.bytes()).equals(Buffer.from(lived.contents[nth] ?? 'none'))).toBe(true)
      }
      const { pathname, search } = new URL(lived.linked.body.url)
      const byLink = await fetch(skep.url + pathname + search)
      expect(Bun.CryptoHasher.hash('sha256', await byLink.bytes(), 'hex')).toBe(files[2]?.sha256 ?? '')

      const replayed = await create(
        skep,
        ann,
        { title: 'Größe ÉCOLE', description: 'über\n\ttabs', data: ODD },
        'the-key',
      )
      expect([replayed.headers.get('idempotency-replayed'), replayed.body]).toEqual(['true', first.body])
      const cursor = lived.page.body.next_cursor
      const next = await skep.call('GET', `/items/?size=2&sort=title&cursor=${cursor}`, { token: ann.token })
      expect(next.body).toEqual(lived.next.body)

      await using socket = await openSocket(skep.url, { token: ann.token })
      expect(await socket.subscribe('items', lived.cursor)).toMatchObject({ gap: false })
      const fresh = await create(skep, ann, { title: 'fresh' })
      expect(fresh.body.id).toBeGreaterThan(lived.gone.body.id)
      await socket.until(() => socket.events().length === 4)
      const received = socket.texts.filter((text) => text.includes('"type":"event"')).slice(0, 3)
      expect(received.map(withoutEpoch)).toEqual(lived.events.map(withoutEpoch))
      expect(socket.events().at(-1)?.data?.id).toBe(fresh.body.id)
      const fifth = await upload(skep.call, { token: ann.token })
      expect(fifth.body.id).toBeGreaterThan(files.length + 1)

      const verified = await skep.call('POST', '/auth/email/verify', { json: { token: lived.verification } })
      expect(verified.status).toBe(204)
      expect((await refresh(skep, bob.refreshToken)).status).toBe(200)
      expect((await refresh(skep, lived.unspent)).status).toBe(200)
      expect((await refresh(skep, lived.spent)).body).toMatchObject({ error: 'invalid_grant' })
      expect((await skep.member('carl@example.com')).id).toBeGreaterThan(bob.id)

      const used = await run(args, { cwd: temporaryFolder(), env })
      expect([used.code, used.stderr]).toEqual([
        1,
        expect.stringMatching(/^skep: the target is neither empty nor a copy/),
      ])
    })
  }
})
