import { describe, expect, test } from 'bun:test'
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

test('every setting has a default that works out of the box', () => {
  expect(settingsOf({})).toMatchObject({
    HOST: '127.0.0.1',
    PORT: 3_000,
    ACCESS_TOKEN_TTL: 900_000,
    REFRESH_TOKEN_TTL: 2_592_000_000,
    SIGNUP: 'open',
    MAX_BODY_SIZE: 1_048_576,
    MAX_UPLOAD_SIZE: 10_485_760,
    UPLOAD_TYPES: ['image/jpeg', 'image/png'],
    RATE_LIMIT: { limit: 600, windowMs: 60_000 },
    RATE_LIMIT_AUTH: { limit: 20, windowMs: 60_000 },
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

test('flags override the environment, and the source is shown', () => {
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

test('every wrong setting is reported, with what was given and what is accepted', () => {
  expect(problemsOf({ PORT: '70000', SIGNUP: 'maybe', RATE_LIMIT: '5' })).toEqual([
    'PORT: got "70000", expected an integer from 0 to 65535',
    'SIGNUP: got "maybe", expected open or closed',
    'RATE_LIMIT: got "5", expected requests per duration such as 600/1m, or off',
  ])
})

test('invalid values of secrets are not shown', () => {
  expect(problemsOf({ JWT_SECRET: 'hunter2', METRICS_TOKEN: 'two words' }).join()).not.toMatch(/hunter2|two words/)
})

test('secrets are shown as ***, and of a URL only the password is hidden', () => {
  const shown = shownOf({ JWT_SECRET: 'j'.repeat(40), METRICS_TOKEN: 'm'.repeat(16), SMTP_URL: 'smtp://me:pw@mail:25' })
  expect(shown.get('JWT_SECRET')?.value).toBe('***')
  expect(shown.get('METRICS_TOKEN')?.value).toBe('***')
  expect(shown.get('SMTP_URL')?.value).toBe('smtp://me:***@mail:25')
})

test('no spelling of a URL reveals its secrets', () => {
  for (const url of ['smtp://user:p@ss@mail.example:25', 'smtp://mail.example/?auth.pass=p@ss', 'smtp://:p@ss@mail']) {
    expect(shownOf({ SMTP_URL: url }).get('SMTP_URL')?.value).not.toMatch(/ss@|p%40ss|p@ss/)
  }
})

test('a database that is not embedded needs JWT_SECRET, and its password is not shown', () => {
  const DATABASE_URL = 'postgres://u:p@ss@localhost/x?prepare=false'
  expect(problemsOf({ DATABASE_URL })).toEqual([expect.stringMatching(/^JWT_SECRET: required .* 32 bytes$/)])
  expect(problemsOf({ DATABASE_URL, JWT_SECRET: 'short' })).toHaveLength(1)
  const shown = shownOf({ DATABASE_URL, JWT_SECRET: 'j'.repeat(40) }).get('DATABASE_URL')?.value
  expect(shown).toBe('postgres://u:***@localhost/x?prepare=***')
})

test('the public URL is one, whatever the host', () => {
  expect(shownOf({ HOST: '::1' }).get('PUBLIC_URL')?.value).toBe('http://[::1]:3000')
})

test.each(['redis://h', 'redis://:p%40ss@h:1/2', 'rediss://u:p@[::1]:6380', 'redis+unix:///run/redis.sock'])(
  'REDIS_URL accepts %p as it is',
  (url) => expect(settingsOf({ REDIS_URL: url }).REDIS_URL).toBe(url),
)

describe('files on S3', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'hunter2' }
  const placeOf = (FILES_URL: string, more = {}) => settingsOf({ FILES_URL, ...keys, ...more }).FILES_URL

  test('are in a bucket of AWS, named in the host', () => {
    expect(placeOf('s3://my-bucket?region=eu-central-1')).toEqual({
      bucket: 'my-bucket',
      prefix: '',
      endpoint: null,
      region: 'eu-central-1',
      virtualHosted: true,
    })
    expect(placeOf('s3://my.bucket/', { AWS_REGION: 'us-west-2' })).toMatchObject({
      region: 'us-west-2',
      virtualHosted: false,
    })
  })

  test('or of another endpoint, named in the path, below a prefix', () => {
    expect(placeOf('s3://bucket/skep/files/?endpoint=https://s3.example.com/v1/')).toEqual({
      bucket: 'bucket',
      prefix: 'skep/files/',
      endpoint: 'https://s3.example.com/v1',
      region: 'us-east-1',
      virtualHosted: false,
    })
    expect(placeOf('s3://bucket?endpoint=http://127.0.0.1:9000&virtual_hosted_style=true')).toMatchObject({
      virtualHosted: true,
    })
  })

  test('need keys and a region, and each that is missing is reported', () => {
    expect(problemsOf({ FILES_URL: 's3://bucket' })).toEqual([
      'AWS_ACCESS_KEY_ID: expected a key, because FILES_URL is on S3',
      'AWS_SECRET_ACCESS_KEY: expected a key, because FILES_URL is on S3',
      'AWS_REGION: expected a region, because FILES_URL names neither a region nor an endpoint',
    ])
    expect(problemsOf({ FILES_URL: 's3://bucket?region=x', ...keys, AWS_ACCESS_KEY_ID: 'two words' })).toHaveLength(1)
  })

  test('are shown with effective values, without the keys', () => {
    const shown = shownOf({
      FILES_URL: 's3://bucket/skep?endpoint=http://s3.test:9000',
      AWS_SESSION_TOKEN: 't',
      ...keys,
    })
    expect(shown.get('FILES_URL')?.value).toBe(
      's3://bucket/skep?endpoint=http://s3.test:9000&region=us-east-1&virtual_hosted_style=false',
    )
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
      expect(shown.get(name)?.value).toBe('***')
    }
  })

  test.each([
    ['s3:bucket', 'file:PATH or s3://BUCKET'],
    ['s3://', 'file:PATH or s3://BUCKET'],
    ['s3://Bucket', 'name of a bucket'],
    ['s3://id:hunter2@bucket', 'name of a bucket'],
    ['s3://bucket/../other', 'prefix'],
    ['s3://bucket/a//b', 'prefix'],
    ['s3://bucket/a/.', 'prefix'],
    ['s3://bucket/%2e%2e', 'prefix'],
    ['s3://bucket?secret=hunter2', 'no parameters but endpoint, region, virtual_hosted_style'],
    ['s3://bucket?region=a&region=b', 'region once'],
    ['s3://bucket?region=a/b', 'a region such as'],
    ['s3://bucket?endpoint=hunter2', 'endpoint'],
    ['s3://bucket?endpoint=https://id:hunter2@s3.test', 'endpoint'],
    ['s3://bucket?endpoint=ftp://s3.test', 'endpoint'],
    ['s3://bucket?virtual_hosted_style=1', 'true or false'],
  ])('are refused at %s in one line', (FILES_URL, why) => {
    const [line, ...more] = problemsOf({ FILES_URL, ...keys, AWS_REGION: 'x' })
    expect([line, more]).toEqual([expect.stringMatching(/^FILES_URL: expected /), []])
    expect(line).toContain(why)
    expect(line).not.toContain('hunter2')
  })
})

test.each([
  ['PORT', ['-1', '1.5', '0x10', 'http', '65536']],
  ['HOST', ['a b', 'http://x']],
  ['ACCESS_TOKEN_TTL', ['15', '0m', '15 m', '1w', '-5m']],
  ['SHUTDOWN_TIMEOUT', ['0s', '25d', '36500d']],
  ['MAX_BODY_SIZE', ['1', '0mb', '1tb']],
  ['PUBLIC_URL', ['example.com', 'ftp://x', 'https://u:p@x', 'https://x/?q']],
  ['CORS_ORIGINS', ['example.com', 'https://a.b/', 'https://a.b,', '*,https://a.b', 'null', 'https://*.example.com']],
  ['CORS_ORIGINS', ['HTTPS://a.b', 'https://a.b:443', 'https://u@a.b', 'app://', 'app://x/y', 'App://x', 'file:///x']],
  ['CORS_ORIGINS', ['wss://a.b', 'ftp://a.b', 'capacitor://*', 'javascript:alert(1)', 'https://']],
  ['ALLOWED_HOSTS', ['https://a.b', 'a b', 'a,', '*,a', 'a:b', '[::1']],
  ['ALLOWED_HOSTS', ['a:99999', 'a:65536', 'a:0', 'a:080', 'a,b:70000', '[::1]:65536', '[1:2]', '1.2.3.256']],
  ['MAIL_FROM', ['nobody', 'A <a@b>\r\nBcc: x@y', '<>']],
  ['SMTP_URL', ['mail:25', 'http://mail']],
  ['JWT_SECRET', ['short']],
  ['METRICS_TOKEN', ['fifteen-letters', 'two words in one text', 'sixteen=letters-']],
  ['TRUST_PROXY', ['yes', '-1']],
  ['LOG_LEVEL', ['loud']],
  [
    'UPLOAD_TYPES',
    ['png', 'image/*,', '*/png', '*', 'image/svg+xml', 'text/csv', 'image/png,application/json', 'text/html'],
  ],
  ['UPLOAD_TYPES', ['chemical/*', 'image/png;q=1', 'image/']],
  ['REDIS_URL', ['localhost:6379', 'http://localhost', 'redis://', 'redis://h/name', 'redis+unix:relative']],
  ['DATABASE_URL', ['mysql://x', 'skep.db', 'sqlite::memory:', 'postgres:', 'postgres:///x']],
])('%s refuses %p', (name, values) => {
  for (const value of values) expect(problemsOf({ [name]: value })).toHaveLength(1)
})

test('a type that cannot be detected from content is reported', () => {
  expect(problemsOf({ UPLOAD_TYPES: 'image/svg+xml,image/png,text/csv' })).toEqual([
    'UPLOAD_TYPES: got "image/svg+xml,image/png,text/csv", expected a comma list of types that content can be recognised as, which it never is as image/svg+xml, text/csv',
  ])
})

test.each([
  ['image/jpg, IMAGE/PNG,image/apng', ['image/jpeg', 'image/png']],
  ['image/*,application/x-zip-compressed', ['image/*', 'application/zip']],
  ['text/plain,application/octet-stream,audio/ogg', ['text/plain', 'application/octet-stream', 'audio/ogg']],
  ['video/mp1s', ['video/mp1s']],
])('UPLOAD_TYPES=%s is taken as what content is recognised as, and shown so', (text, types) => {
  expect(settingsOf({ UPLOAD_TYPES: text }).UPLOAD_TYPES).toEqual(types)
  expect(shownOf({ UPLOAD_TYPES: text }).get('UPLOAD_TYPES')?.value).toBe(types.join())
})

test.each([
  ['https://*.example.com', 'only exact ones count (* alone stands for all)'],
  ['https://ok.example, https://a.b/', 'browsers send https://a.b in place of https://a.b/'],
  ['https://münchen.example', 'browsers send https://xn--mnchen-3ya.example in place of https://münchen.example'],
  ['example.com', 'expected a comma list of origins such as https://app.example.com, or *: example.com is none'],
])('CORS_ORIGINS=%s is refused, and the line says why', (text, why) => {
  expect(problemsOf({ CORS_ORIGINS: text })[0]).toContain(why)
})

test('origins of applications that are no web pages are taken', () => {
  const CORS_ORIGINS = 'capacitor://localhost,tauri://localhost,ionic://localhost,app://-,https://app.example.com:8443'
  expect(settingsOf({ CORS_ORIGINS }).CORS_ORIGINS).toEqual(CORS_ORIGINS.split(','))
})
