import { expect, test } from 'bun:test'
import { readSettings } from '../../../src/adapters/env/settings.ts'
import { settingsOf } from '../../support/skep.ts'

const problemsOf = (environment: Record<string, string>) => {
  const result = readSettings(environment, {}, false)
  return 'problems' in result ? result.problems : []
}

const shownOf = (environment: Record<string, string>, flags: Record<string, string> = {}) => {
  const result = readSettings(environment, flags, false)
  return 'shown' in result ? new Map(result.shown.map((row) => [row.name as string, row])) : new Map()
}

test('everything has a default that serves the first day', () => {
  expect(settingsOf({})).toMatchObject({
    HOST: '127.0.0.1',
    PORT: 3_000,
    ACCESS_TOKEN_TTL: 900_000,
    REFRESH_TOKEN_TTL: 2_592_000_000,
    SIGNUP: 'open',
    MAX_BODY_SIZE: 1_048_576,
    MAX_UPLOAD_SIZE: 10_485_760,
    UPLOAD_TYPES: ['image/jpeg', 'image/png'],
    RATE_LIMIT: { limit: 600, window: 60_000 },
    RATE_LIMIT_AUTH: { limit: 20, window: 60_000 },
    TRUST_PROXY: 0,
    LOG_FORMAT: 'json',
  })
})

test('database and files live in the data folder unless their URL says otherwise', () => {
  expect(settingsOf({ DATA_DIR: '/var/skep' })).toMatchObject({
    DATABASE_URL: '/var/skep/skep.db',
    FILES_URL: '/var/skep/files',
  })
  expect(settingsOf({ DATABASE_URL: 'sqlite:/x/y.db', FILES_URL: 'file:/z' })).toMatchObject({
    DATABASE_URL: '/x/y.db',
    FILES_URL: '/z',
  })
})

test('flags win over the environment, and the source is told', () => {
  const shown = shownOf({ PORT: '1', HOST: 'localhost' }, { PORT: '2' })
  expect(shown.get('PORT')).toEqual({ name: 'PORT', value: '2', source: 'flag' })
  expect(shown.get('HOST')).toMatchObject({ source: 'environment' })
  expect(shown.get('SIGNUP')).toMatchObject({ source: 'default' })
})

test('an empty value counts as unset', () => {
  expect(settingsOf({ PORT: '', JWT_SECRET: '' })).toMatchObject({ PORT: 3_000 })
})

test('settings cannot be changed', () => {
  expect(Object.isFrozen(settingsOf({}))).toBe(true)
})

test('every wrong setting is told at once, with what was given and what is accepted', () => {
  expect(problemsOf({ PORT: '70000', SIGNUP: 'maybe', RATE_LIMIT: '5' })).toEqual([
    'PORT: got "70000", expected an integer from 0 to 65535',
    'SIGNUP: got "maybe", expected open or closed',
    'RATE_LIMIT: got "5", expected requests per duration such as 600/1m, or off',
  ])
})

test('what was given is kept to ourselves when it is a secret', () => {
  expect(problemsOf({ JWT_SECRET: 'hunter2', METRICS_TOKEN: 'two words' }).join()).not.toMatch(/hunter2|two words/)
})

test('secrets are shown as ***, and of a URL only the password is hidden', () => {
  const shown = shownOf({ JWT_SECRET: 'j'.repeat(40), METRICS_TOKEN: 'm'.repeat(16), SMTP_URL: 'smtp://me:pw@mail:25' })
  expect(shown.get('JWT_SECRET')?.value).toBe('***')
  expect(shown.get('METRICS_TOKEN')?.value).toBe('***')
  expect(shown.get('SMTP_URL')?.value).toBe('smtp://me:***@mail:25')
})

test('no spelling of a URL gives its secrets away', () => {
  for (const url of ['smtp://user:p@ss@mail.example:25', 'smtp://mail.example/?auth.pass=p@ss', 'smtp://:p@ss@mail']) {
    expect(shownOf({ SMTP_URL: url }).get('SMTP_URL')?.value).not.toMatch(/ss@|p%40ss|p@ss/)
  }
})

test('a database that is not embedded needs a secret of its own, and shows no password', () => {
  const DATABASE_URL = 'postgres://u:p@ss@localhost/x?prepare=false'
  expect(problemsOf({ DATABASE_URL })).toEqual([expect.stringMatching(/^JWT_SECRET: required .* 32 bytes$/)])
  expect(problemsOf({ DATABASE_URL, JWT_SECRET: 'short' })).toHaveLength(1)
  const shown = shownOf({ DATABASE_URL, JWT_SECRET: 'j'.repeat(40) }).get('DATABASE_URL')?.value
  expect(shown).toBe('postgres://u:***@localhost/x?prepare=***')
})

test('the public URL is one, whatever the host', () => {
  expect(shownOf({ HOST: '::1' }).get('PUBLIC_URL')?.value).toBe('http://[::1]:3000')
})

test.each([['FILES_URL', 's3://bucket']])(
  '%s of an engine that does not exist yet is refused as such',
  (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringContaining('not available in this build yet')])
  },
)

test.each(['redis://h', 'redis://:p%40ss@h:1/2', 'rediss://u:p@[::1]:6380', 'redis+unix:///run/redis.sock'])(
  'REDIS_URL accepts %p as it is',
  (url) => expect(settingsOf({ REDIS_URL: url }).REDIS_URL).toBe(url),
)

test.each([
  ['PORT', ['-1', '1.5', '0x10', 'http', '65536']],
  ['HOST', ['a b', 'http://x']],
  ['ACCESS_TOKEN_TTL', ['15', '0m', '15 m', '1w', '-5m']],
  ['MAX_BODY_SIZE', ['1', '0mb', '1tb']],
  ['PUBLIC_URL', ['example.com', 'ftp://x', 'https://u:p@x', 'https://x/?q']],
  ['CORS_ORIGINS', ['example.com', 'https://a.b/', 'https://a.b,', '*,https://a.b', 'null']],
  ['MAIL_FROM', ['nobody', 'A <a@b>\r\nBcc: x@y', '<>']],
  ['SMTP_URL', ['mail:25', 'http://mail']],
  ['JWT_SECRET', ['short']],
  ['METRICS_TOKEN', ['fifteen-letters', 'two words in one text', 'sixteen=letters-']],
  ['TRUST_PROXY', ['yes', '-1']],
  ['LOG_LEVEL', ['loud']],
  ['UPLOAD_TYPES', ['png', 'image/*,']],
  ['REDIS_URL', ['localhost:6379', 'http://localhost', 'redis://', 'redis://h/name', 'redis+unix:relative']],
  ['DATABASE_URL', ['mysql://x', 'skep.db', 'sqlite::memory:', 'postgres:', 'postgres:///x']],
])('%s refuses %p', (name, values) => {
  for (const value of values) expect(problemsOf({ [name]: value })).toHaveLength(1)
})
