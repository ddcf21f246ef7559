/**
 * Fuzzes a server of its own by its OpenAPI document, as a user, as an admin and as nobody: `bun run fuzz`.
 * Ends with 1 when something was found, with 2 when it could not run.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const HERE = import.meta.dir
const ROOT = resolve(HERE, '../..')
const SKEP = [process.execPath, join(ROOT, 'src/main.ts')]
const VENV = join(ROOT, 'node_modules/.cache/fuzz')
const ROLES = ['user', 'admin', 'nobody'] as const

const USAGE = `bun run fuzz [--examples N] [--seed N] [--role user|admin|nobody] [--operation ID]
  --examples   made-up requests an operation (default 10)
  --seed       which requests are made up (default 1; the same seed makes up the same requests)
  --role       only as this one
  --operation  only this operation, by its operationId`

const fail = (why: string): never => {
  console.error(why)
  process.exit(2)
}

const options = () => {
  try {
    const { values } = parseArgs({
      options: {
        examples: { type: 'string', default: '10' },
        seed: { type: 'string', default: '1' },
        role: { type: 'string' },
        operation: { type: 'string' },
      },
    })
    return values
  } catch {
    return fail(USAGE)
  }
}

const { examples, seed, role, operation } = options()
const roles = role === undefined ? ROLES : ROLES.filter((each) => each === role)
if (roles.length === 0 || ![examples, seed].every((text) => /^\d{1,9}$/.test(text))) fail(USAGE)

const run = (command: readonly string[]) => Bun.spawnSync([...command], { stdout: 'ignore', stderr: 'inherit' }).success

/** Installs the fuzzer, once for each list of its packages. */
const install = async (): Promise<string> => {
  const wanted = await Bun.file(join(HERE, 'requirements.txt')).text()
  const program = join(VENV, 'bin/schemathesis')
  const mark = Bun.file(join(VENV, 'installed.txt'))
  if (existsSync(program) && (await mark.exists()) && (await mark.text()) === wanted) return program
  console.log('Installing the fuzzer')
  const python = process.env.PYTHON ?? 'python3'
  if (Bun.which(python) === null || !run([python, '-c', 'import ensurepip, venv'])) {
    fail(`This needs ${python} with venv (Debian: apt-get install python3-venv); PYTHON names another.`)
  }
  const pip = [join(VENV, 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check']
  const installed = run([python, '-m', 'venv', '--clear', VENV]) && run([...pip, '-r', join(HERE, 'requirements.txt')])
  if (!installed) fail('The fuzzer could not be installed.')
  await mark.write(wanted)
  return program
}

const fuzzer = await install()
const dataDir = mkdtempSync(join(tmpdir(), 'skep-fuzz-'))
const environment = {
  PATH: process.env.PATH ?? '',
  HOME: dataDir,
  DATA_DIR: dataDir,
  PORT: '0',
  RATE_LIMIT: 'off',
  RATE_LIMIT_AUTH: 'off',
  // What is to be found lies behind the uploads, not before them. These are the types that the document knows of.
  UPLOAD_TYPES: 'application/octet-stream,image/jpeg,image/png,image/gif,image/webp,image/avif',
  LOG_LEVEL: 'warn',
  LOG_FORMAT: 'json',
}

const server = Bun.spawn([...SKEP, 'serve'], { cwd: dataDir, env: environment, stdout: 'pipe', stderr: 'inherit' })
const errors: string[] = []
const listening = Promise.withResolvers<string>()
const follow = async () => {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const part of server.stdout) {
    const lines = (rest + decoder.decode(part, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const url = /listening on (\S+)/.exec(line)?.[1]
      if (url !== undefined) listening.resolve(url)
      if (line.includes('"level":"error"')) errors.push(line)
    }
  }
  listening.reject(new Error('the server ended'))
}
const followed = follow()
const url = await listening.promise

const fuzz = async (as: string): Promise<boolean> => {
  console.log(`\n== as ${as}`)
  const child = Bun.spawn(
    [
      fuzzer,
      ...['--config-file', join(HERE, 'schemathesis.toml')],
      ...['run', `${url}/openapi.json`, '--url', url, '--seed', seed, '--max-examples', examples],
      ...(operation === undefined ? [] : ['--include-operation-id', operation]),
    ],
    {
      cwd: dataDir,
      env: {
        ...environment,
        PYTHONPATH: HERE,
        PYTHONDONTWRITEBYTECODE: '1',
        SCHEMATHESIS_HOOKS: 'hooks',
        FUZZ_URL: url,
        FUZZ_ROLE: as,
        FUZZ_ADMIN_CREATE: JSON.stringify([...SKEP, 'admin', 'create']),
      },
      stdout: 'inherit',
      stderr: 'inherit',
    },
  )
  return (await child.exited) === 0
}

const began = performance.now()
const found: string[] = []
try {
  for (const each of roles) if (!(await fuzz(each))) found.push(each)
} finally {
  server.kill('SIGTERM')
  if ((await server.exited) !== 0) errors.push(`the server ended with ${server.exitCode ?? server.signalCode}`)
  await followed
  rmSync(dataDir, { recursive: true, force: true })
}

for (const line of errors) console.log(line)
const seconds = Math.round((performance.now() - began) / 1_000)
const findings = found.length === 0 ? 'nothing found' : `FOUND SOMETHING as ${found.join(', ')}`
console.log(
  `\nFuzzed as ${roles.join(', ')} with ${examples} examples and seed ${seed} in ${seconds} s: ${findings}; ${errors.length} errors in the log of the server`,
)
process.exit(found.length === 0 && errors.length === 0 ? 0 : 1)
