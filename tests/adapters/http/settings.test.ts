import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { readSettings } from '../../../src/adapters/env/settings.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { startSkep } from '../../support/skep.ts'

interface SettingBody {
  readonly name: string
  readonly value: string | null
  readonly source: string
}

const TOKEN = 'scrape-me_0123.~+/=='
const SECRET = '"}],<script>'.repeat(4)
const skep = await startSkep({
  METRICS_TOKEN: TOKEN,
  JWT_SECRET: SECRET,
  SMTP_URL: 'smtp://mailer:pass%2Fword@127.0.0.1:2525/?key=value-of-key',
  MAX_BODY_SIZE: '2mb',
})
const root = await createFirstAdmin(skep)

const list = (token?: string) =>
  skep.call<{ settings: readonly SettingBody[] }>('GET', '/admin/settings', token === undefined ? {} : { token })

describe('the effective settings', () => {
  test('are listed for admins only', async () => {
    const ann = await skep.member()
    expect((await list()).status).toBe(401)
    expect((await list(ann.token)).status).toBe(403)
    const { status, headers } = await list(root.token)
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  })

  test('say where each value comes from', async () => {
    const { settings } = (await list(root.token)).body
    const setting = (name: string) => settings.find((each) => each.name === name)
    expect(setting('MAX_BODY_SIZE')).toEqual({ name: 'MAX_BODY_SIZE', value: '2mb', source: 'environment' })
    expect(setting('MAX_RECORD_SIZE')).toEqual({ name: 'MAX_RECORD_SIZE', value: '64kb', source: 'default' })
    expect(setting('ALLOWED_HOSTS')).toEqual({ name: 'ALLOWED_HOSTS', value: null, source: 'default' })
  })

  test('show secrets as ***', async () => {
    const { body } = await list(root.token)
    const value = (name: string) => body.settings.find((each) => each.name === name)?.value
    expect([value('METRICS_TOKEN'), value('JWT_SECRET')]).toEqual(['***', '***'])
    expect(value('SMTP_URL')).toBe('smtp://mailer:***@127.0.0.1:2525/?key=***')
    for (const secret of [TOKEN, SECRET, 'pass', 'word', 'value-of-key']) {
      expect(JSON.stringify(body)).not.toContain(JSON.stringify(secret).slice(1, -1))
    }
  })
})

/** A value of a parameter, which a plain & would end. */
const inQuery = (secret: string): string => secret.replaceAll('&', '%26')

/** The settings that contain a secret, made from one that is safe in a URL. */
const WITH_SECRET: Readonly<Record<string, (secret: string) => string>> = {
  DATABASE_URL: (secret) => `postgres://skep:${secret}@db.example.com/skep?application_name=${inQuery(secret)}`,
  REDIS_URL: (secret) => `rediss://default:${secret}@redis.example.com`,
  SMTP_URL: (secret) => `smtps://mailer:${secret}@mail.example.com?dkim=${inQuery(secret)}`,
  AWS_ACCESS_KEY_ID: (secret) => secret,
  AWS_SECRET_ACCESS_KEY: (secret) => secret,
  AWS_SESSION_TOKEN: (secret) => secret,
  JWT_SECRET: (secret) => secret.repeat(4),
  METRICS_TOKEN: (secret) =>
    secret
      .replaceAll('%', '~')
      .replace(/[^\w\-.~+/]/g, '.')
      .padEnd(16, 'x'),
}

test('no way of writing a password shows it', () => {
  const plain = fc.stringMatching(/^[A-Za-z0-9!$&'()*+,;=._~-]{12,40}$/)
  const encoded = plain.map((text) => `${text}%2F%40%3A${text}`)
  const odd = plain.map((text) => `smtp:mailer:${text}@mail.example.com`)
  fc.assert(
    fc.property(fc.oneof(plain, encoded), odd, (secret, withoutSlashes) => {
      const given = Object.fromEntries(Object.entries(WITH_SECRET).map(([name, write]) => [name, write(secret)]))
      for (const environment of [given, { ...given, SMTP_URL: withoutSlashes }]) {
        const result = readSettings(environment, {}, false)
        // A value that is refused is not shown either.
        const shown = 'problems' in result ? result.problems : result.shown.map(({ value }) => value)
        const text = JSON.stringify(shown)
        for (const part of [secret, decodeURIComponent(secret), withoutSlashes]) expect(text).not.toContain(part)
      }
    }),
    { numRuns: 50 },
  )
})
