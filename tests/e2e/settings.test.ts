import { expect, test } from 'bun:test'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder, run } from '../support/process.ts'
import { embeddedOnly } from '../support/stack.ts'

/** Every setting, a value it refuses, and a part of what it accepts instead. */
const WRONG = [
  ['HOST', 'no host!', 'a host name or an IP address'],
  ['PORT', '65536', 'an integer from 0 to 65535'],
  ['DATABASE_POOL_SIZE', '0', 'an integer from 1 to 1000'],
  ['PUBLIC_URL', 'example.com', 'an http or https URL'],
  ['APP_NAME', 'Acme\tSons', 'a name of 1 to 64 visible characters'],
  ['APP_URL', 'acme.example', 'an http or https URL'],
  ['ACCESS_TOKEN_TTL', '15', 'a duration such as 30s'],
  ['REFRESH_TOKEN_TTL', '1 month', 'a duration such as 30s'],
  ['SIGNUP', 'maybe', 'open or closed'],
  ['CORS_ORIGINS', 'https://a.example/path', 'a comma list of origins'],
  ['MAIL_FROM', 'nobody', 'an address such as'],
  ['MAX_BODY_SIZE', 'big', 'a size such as'],
  ['MAX_UPLOAD_SIZE', '-1mb', 'a size such as'],
  ['UPLOAD_TYPES', 'pictures', 'a comma list of content types'],
  ['RATE_LIMIT', '600', 'requests per duration'],
  ['RATE_LIMIT_AUTH', 'many/1m', 'requests per duration'],
  ['WORKERS', 'many', 'an integer from 1 to 64, or auto'],
  ['TRUST_PROXY', 'yes', 'an integer from 0 to 100'],
  ['EVENT_RETENTION', 'forever', 'a duration such as 30s'],
  ['SHUTDOWN_TIMEOUT', '0.5s', 'a duration such as 30s'],
  ['LOG_LEVEL', 'loud', 'debug or info or warn or error'],
  ['LOG_FORMAT', 'xml', 'pretty or json'],
  ['AWS_REGION', 'eu central', 'a region such as eu-central-1'],
] as const

const WRONG_SECRETS = [
  ['DATABASE_URL', 'mysql://root:hunter2@localhost/skep', 'sqlite:PATH'],
  ['FILES_URL', 'ftp://root:hunter2@localhost/skep', 'file:PATH'],
  ['REDIS_URL', 'http://:hunter2@localhost', 'redis://'],
  ['JWT_SECRET', 'hunter2', 'at least 32 bytes'],
  ['SMTP_URL', 'http://root:hunter2@localhost', 'smtp://'],
  ['METRICS_TOKEN', 'hunter2', 'at least 16'],
  ['AWS_ACCESS_KEY_ID', 'hunter2 hunter2', 'visible ASCII'],
  ['AWS_SECRET_ACCESS_KEY', 'hunter2 hunter2', 'visible ASCII'],
  ['AWS_SESSION_TOKEN', 'hunter2 hunter2', 'visible ASCII'],
] as const

const serveWith = async (env: Readonly<Record<string, string>>) => {
  using home = folder()
  const exit = await run(['serve', '--port', '0'], { cwd: home.path, env: { ...embeddedOnly, ...env } })
  return { ...exit, made: readdirSync(home.path) }
}

const config = async (env: Readonly<Record<string, string>> = {}, args: readonly string[] = []) => {
  using home = folder()
  const { code, stdout } = await run(['config', ...args], { cwd: home.path, env: { ...embeddedOnly, ...env } })
  return { code, stdout, cwd: home.path, made: readdirSync(home.path) }
}

test('every wrong setting gets its own line, with its name, what was given and what is accepted, and exit 2', async () => {
  using home = folder()
  const env = Object.fromEntries(WRONG.map(([name, given]) => [name, given]))
  const { code, stdout, stderr } = await run(['serve'], { cwd: home.path, env: { ...embeddedOnly, ...env } })
  expect(code).toBe(2)
  expect(stdout).toBe('')
  const lines = stderr.trimEnd().split('\n')
  expect(lines).toHaveLength(WRONG.length)
  for (const [name, given, accepted] of WRONG) {
    const line = lines.find((line) => line.startsWith(`${name}: `))
    expect(line).toContain(JSON.stringify(given))
    expect(line).toContain(accepted)
  }
  expect(readdirSync(home.path)).toEqual([])
})

test('a wrong setting that may contain a secret is reported without its value', async () => {
  const { code, stderr } = await serveWith(Object.fromEntries(WRONG_SECRETS.map(([name, given]) => [name, given])))
  expect(code).toBe(2)
  const lines = stderr.trimEnd().split('\n')
  expect(lines).toHaveLength(WRONG_SECRETS.length)
  for (const [name, , accepted] of WRONG_SECRETS) {
    expect(lines.find((line) => line.startsWith(`${name}: `))).toContain(accepted)
  }
  expect(stderr).not.toContain('hunter2')
})

test('a wrong template of a mail is named with its file and line, and nothing is started', async () => {
  using home = folder()
  const templates = join(home.path, 'mails')
  mkdirSync(templates)
  writeFileSync(join(templates, 'welcome.subject.txt'), 'Hello {{nmae}}')
  writeFileSync(join(templates, 'welcom.txt'), '')
  const env = { ...embeddedOnly, MAIL_TEMPLATES: 'mails' }
  const { code, stdout, stderr } = await run(['serve', '--port', '0'], { cwd: home.path, env })
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr.trimEnd().split('\n')).toEqual([
    expect.stringContaining(`MAIL_TEMPLATES: ${templates}/welcom.txt: belongs to no mail`),
    expect.stringContaining(`MAIL_TEMPLATES: ${templates}/welcome.subject.txt:1: unknown placeholder {{nmae}}`),
  ])
  expect(readdirSync(home.path)).toEqual(['mails'])
})

test.each(['migrate', 'config', 'health', 'admin create boss@example.com'])(
  '%s judges the settings as well',
  async (command) => {
    using home = folder()
    const { code, stderr } = await run(command.split(' '), {
      cwd: home.path,
      env: { ...embeddedOnly, SIGNUP: 'maybe' },
    })
    expect(code).toBe(2)
    expect(stderr).toStartWith('SIGNUP: ')
  },
)

test('a wrong flag is reported by the name of its setting', async () => {
  using home = folder()
  const { code, stderr } = await run(['serve', '--port', 'http'], { cwd: home.path, env: embeddedOnly })
  expect(code).toBe(2)
  expect(stderr).toMatch(/^PORT: .*"http".*\n$/)
})

test('config shows every setting with its value and where it came from', async () => {
  const env = { SIGNUP: 'closed', DATA_DIR: 'variable' }
  const { code, stdout, cwd } = await config(env, ['--data-dir', 'flag'])
  expect(code).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toContain('PORT=3000  # default')
  expect(lines).toContain('SIGNUP=closed  # environment')
  expect(lines).toContain(`DATA_DIR=${join(cwd, 'flag')}  # flag`)
  expect(lines).toContain(`DATABASE_URL=sqlite:${join(cwd, 'flag', 'skep.db')}  # default`)
  expect(lines.map((line) => line.split('=')[0])).toEqual(
    expect.arrayContaining([...WRONG, ...WRONG_SECRETS].map(([name]) => name)),
  )
})

test('config hides secrets, and the password in a URL', async () => {
  const { stdout } = await config({
    JWT_SECRET: 'hunter2'.repeat(5),
    METRICS_TOKEN: 'hunter2'.repeat(3),
    SMTP_URL: 'smtp://postman:hunter2@mail.example.com',
    REDIS_URL: 'rediss://:hunter2@cache.example.com:6380/1',
  })
  expect(stdout).toContain('JWT_SECRET=***  # environment\n')
  expect(stdout).toContain('METRICS_TOKEN=***  # environment\n')
  expect(stdout).toContain('SMTP_URL=smtp://postman:***@mail.example.com  # environment\n')
  expect(stdout).toContain('REDIS_URL=rediss://:***@cache.example.com:6380/1  # environment\n')
  expect(stdout).not.toContain('hunter2')
})

test('config makes nothing', async () => {
  expect((await config()).made).toEqual([])
})

test('an empty value counts as unset', async () => {
  const names = [...WRONG, ...WRONG_SECRETS].map(([name]) => name)
  const unset = await config()
  const empty = await config(Object.fromEntries(names.map((name) => [name, ''])))
  expect(empty.stdout.replaceAll(empty.cwd, '.')).toBe(unset.stdout.replaceAll(unset.cwd, '.'))
})
