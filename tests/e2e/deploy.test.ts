import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { needsRedisServer } from '../support/redis.ts'
import { temporaryFolder } from '../support/skep.ts'
import { until } from '../support/until.ts'

const root = join(import.meta.dir, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const modeOf = (...path: string[]) => (statSync(join(...path)).mode & 0o777).toString(8)

const Texts = Type.Array(Type.String())
const Service = Type.Object({
  image: Type.String(),
  user: Type.Optional(Type.String()),
  cap_drop: Texts,
  cap_add: Type.Optional(Texts),
  security_opt: Texts,
  read_only: Type.Boolean(),
  mem_limit: Type.String(),
  pids_limit: Type.Integer(),
  ports: Type.Optional(Texts),
  networks: Texts,
  secrets: Type.Optional(Texts),
  command: Type.Optional(Texts),
  environment: Type.Optional(Type.Record(Type.String(), Type.String())),
  healthcheck: Type.Optional(Type.Object({ test: Type.Optional(Texts) })),
})
const Compose = Type.Object({
  services: Type.Record(Type.String(), Service),
  networks: Type.Record(Type.String(), Type.Union([Type.Null(), Type.Object({ internal: Type.Boolean() })])),
  secrets: Type.Record(Type.String(), Type.Object({ file: Type.String() })),
})

const compose = Value.Parse(Compose, Bun.YAML.parse(read('deploy/compose.yaml')))
const { services } = compose
const serviceAt = (name: string) => Value.Parse(Service, services[name])

describe('compose.yaml', () => {
  test.each(Object.keys(services))('%s has no capabilities, a read-only file system and resource limits', (name) => {
    const service = serviceAt(name)
    expect(service).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], read_only: true })
    expect(service.cap_add ?? []).toEqual(name === 'proxy' ? ['NET_BIND_SERVICE'] : [])
    expect(service.mem_limit).toMatch(/^\d+[mg]$/)
    expect(service.pids_limit).toBeLessThanOrEqual(512)
    expect(service.image).toMatch(/^(skep|[a-z]+:\d+\.\d+.*)$/)
    expect(service.user ?? '').toMatch(name === 'proxy' ? /^$/ : /^(postgres|redis|65532:65532)$/)
  })

  test('only the proxy is reachable from outside, and engines have no access to the outside', () => {
    expect(Object.keys(services).filter((name) => serviceAt(name).ports !== undefined)).toEqual(['proxy'])
    expect(compose.networks.back).toEqual({ internal: true })
    for (const name of ['postgres', 'redis', 'migrate']) expect(serviceAt(name).networks).toEqual(['back'])
    expect(serviceAt('proxy').networks).toEqual(['front'])
  })

  test('Skep is no superuser of Postgres and signs in to Redis', () => {
    for (const name of ['migrate', 'skep-1', 'skep-2']) {
      const { DATABASE_URL, REDIS_URL } = serviceAt(name).environment ?? {}
      expect(DATABASE_URL).toStartWith('postgres://skep:${DATABASE_PASSWORD')
      expect(REDIS_URL).toStartWith('redis://:${REDIS_PASSWORD')
    }
    expect(serviceAt('postgres').environment).not.toHaveProperty('POSTGRES_USER')
    expect(read('deploy/postgres-init.sh')).toContain('CREATE ROLE skep LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE')
  })

  test('passwords of the engines are files, and in none of their environments', () => {
    const environments = ['postgres', 'redis', 'proxy'].map((name) => serviceAt(name).environment ?? {})
    expect(JSON.stringify(environments)).not.toContain('${')
    expect(serviceAt('postgres').environment?.POSTGRES_PASSWORD_FILE).toBe('/run/secrets/postgres_password')
    // Secrets that are no files cannot be given to a container that is read-only.
    expect(Object.values(compose.secrets).map(({ file }) => file)).toEqual(
      Object.keys(compose.secrets).map((name) => `secrets/${name}`),
    )
  })

  test(`Redis as it is started there asks for the password${needsRedisServer}`, async () => {
    if (needsRedisServer !== '') return
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'redis_password'), 'hunter2')
    const here = (text: string) =>
      text.replaceAll('$$', '$').replaceAll('/tmp', folder).replaceAll('/run/secrets', folder)
    const socket = join(folder, 'socket')
    const script = here(serviceAt('redis').command?.[0] ?? '').trimEnd()
    const server = Bun.spawn(['sh', '-c', `${script} --port 0 --unixsocket ${socket}`], { stdout: 'ignore' })
    try {
      await until(() => existsSync(socket))
      const ping = async (env: string) => Bun.$`sh -c ${`${env} redis-cli -s ${socket} ping`}`.nothrow().text()
      expect(await ping('')).toContain('NOAUTH')
      expect(await ping('REDISCLI_AUTH=wrong')).not.toContain('PONG')
      const [, check = ''] = serviceAt('redis').healthcheck?.test ?? []
      const healthy = await Bun.$`sh -c ${here(check).replace('redis-cli', `redis-cli -s ${socket}`)}`.nothrow()
      expect(healthy.exitCode).toBe(0)
      expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain('hunter2')
      expect(modeOf(folder, 'auth.conf')).toBe('600')
    } finally {
      server.kill()
      await server.exited
    }
  })
})

describe('make-secrets.sh', () => {
  const run = async (folder: string) => Bun.$`sh ${join(root, 'deploy/make-secrets.sh')} ${folder}`.nothrow().quiet()

  test('generates every secret that compose needs, all different and readable only by the owner', async () => {
    const folder = temporaryFolder()
    expect((await run(folder)).exitCode).toBe(0)
    expect(readdirSync(join(folder, 'secrets')).sort()).toEqual(Object.keys(compose.secrets).sort())
    expect([modeOf(folder, 'secrets'), modeOf(folder, '.env')]).toEqual(['700', '600'])
    const values = new Map(
      readFileSync(join(folder, '.env'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
    const needed = [...read('deploy/compose.yaml').matchAll(/\$\{(\w+):\?/g)].map(([, name = '']) => name)
    expect([...values.keys()].sort()).toEqual([...new Set(needed)].sort())
    expect(new Set(values.values()).size).toBe(values.size)
    for (const value of values.values()) expect(value).toMatch(/^[0-9a-f]{64}$/)
    expect(readFileSync(join(folder, 'secrets', 'redis_password'), 'utf8')).toBe(values.get('REDIS_PASSWORD') ?? '')
  })

  test('does not change existing secrets', async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'secrets'))
    expect((await run(folder)).exitCode).toBe(1)
    expect(readdirSync(folder)).toEqual(['secrets'])
  })
})

describe('the image', () => {
  const stages = read('Dockerfile')
    .split(/^FROM /m)
    .slice(1)
  const last = stages.at(-1) ?? ''

  test('runs as an unprivileged user, has a health check and a pinned base', () => {
    expect(last).toMatch(/^USER 65532:65532$/m)
    expect(last).toMatch(/^HEALTHCHECK .*CMD \["\/skep", "health"\]$/m)
    for (const stage of stages) {
      expect(stage).toMatch(/^\S+:(?!latest)\S+/)
      expect(stage).not.toMatch(/^(ADD|ARG .*(SECRET|PASSWORD|TOKEN))/m)
    }
    expect(last).not.toContain('RUN ')
  })

  test('is built only from the files it needs', () => {
    const rules = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    expect(rules[0]).toBe('*')
    expect(rules.filter((rule) => rule.startsWith('!')).sort()).toEqual(
      [
        '!bun.lock',
        '!client/package.json',
        '!client/src',
        '!package.json',
        '!scripts/build.ts',
        '!src',
        '!tsconfig.json',
      ].sort(),
    )
    const forbidden = rules.slice(rules.findLastIndex((rule) => rule.startsWith('!')) + 1)
    expect(forbidden).toEqual(expect.arrayContaining(['**/.env', '**/.env.*', '**/secrets', '**/data', '**/.git']))
    for (const name of ['.env', '/deploy/secrets/']) expect(read('.gitignore').split('\n')).toContain(name)
  })
})

describe('skep.service', () => {
  const unit = read('deploy/skep.service')
  const analyze = Bun.which('systemd-analyze')
  const skipped = analyze === null ? ' (SKIPPED: needs systemd-analyze)' : ''

  test.each([
    ['User', 'skep'],
    ['NoNewPrivileges', 'yes'],
    ['CapabilityBoundingSet', ''],
    ['ProtectSystem', 'strict'],
    ['ProtectHome', 'yes'],
    ['PrivateTmp', 'yes'],
    ['MemoryMax', '1G'],
    ['TasksMax', '512'],
    ['UMask', '0077'],
    ['StateDirectoryMode', '0700'],
  ])('has %s=%s', (name, value) => {
    expect(unit.split('\n')).toContain(`${name}=${value}`)
  })

  test(`is valid for systemd and has a low exposure score${skipped}`, async () => {
    if (analyze === null) return
    const path = join(temporaryFolder(), 'skep.service')
    // The program is not installed here.
    writeFileSync(path, unit.replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true'))
    const verified = await Bun.$`${analyze} verify ${path}`.nothrow().quiet()
    expect([verified.exitCode, verified.stderr.toString()]).toEqual([0, ''])
    const exposure = await Bun.$`${analyze} security --offline=yes --threshold=15 ${path}`.nothrow().quiet()
    expect(exposure.exitCode).toBe(0)
  })
})
