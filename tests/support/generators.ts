import { symlinkSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

const ROUNDS = resolve(import.meta.dir, '../clients/generated')
const MODULES = resolve(import.meta.dir, '../../node_modules')
const PYTHON = process.env.PYTHON ?? 'python3'

/** Runs a program; answers what it printed, and throws that if it fails. */
const output = async (command: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) => {
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  if (code !== 0) throw new Error(`${command.join(' ')} exited with ${code}: ${stdout}${stderr}`)
  return { stdout, stderr }
}

/** What every round is given: a server, an address nobody has there, and the path of a PNG of a few bytes. */
export interface RoundInput {
  readonly url: string
  readonly email: string
  readonly picture: string
}

/** A generator of clients that nobody here wrote, and the round through its client in tests/clients/generated. */
export interface Generator {
  readonly name: string
  /** Whether it is not installed here. */
  readonly missing: boolean
  /** Makes the client of an OpenAPI document in a folder; answers what it printed. */
  generate(document: string, folder: string): Promise<string>
  /** Goes the whole round in the folder where the client is; answers what it saw. */
  round(folder: string, input: RoundInput): Promise<unknown>
}

const inBun = (name: string, program: string, arguments_: (document: string) => readonly string[]): Generator => ({
  name,
  missing: false,
  async generate(document, folder) {
    symlinkSync(MODULES, join(folder, 'node_modules'))
    const command = [process.execPath, '--bun', join(MODULES, '.bin', program), ...arguments_(document)]
    const { stdout, stderr } = await output(command, folder)
    return stdout + stderr
  },
  async round(folder, { url, email, picture }) {
    const source = `${name}.ts`
    await copyFile(join(ROUNDS, source), join(folder, source))
    await Bun.write(join(folder, 'tsconfig.json'), TSCONFIG)
    await output([process.execPath, '--bun', join(MODULES, '.bin/tsc')], folder)
    const { round } = await import(join(folder, source))
    return await round(url, email, await Bun.file(picture).bytes())
  },
})

/** As a browser's project would have it. */
const TSCONFIG = JSON.stringify({
  compilerOptions: {
    target: 'ESNext',
    module: 'Preserve',
    moduleResolution: 'bundler',
    lib: ['ESNext', 'DOM', 'DOM.Iterable'],
    types: [],
    strict: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
  },
})

const pythonHasIt = () =>
  Bun.which(PYTHON) !== null &&
  Bun.spawnSync([PYTHON, '-c', 'import openapi_python_client'], { stdout: 'ignore', stderr: 'ignore' }).success

const PYTHON_CLIENT: Generator = {
  name: 'openapi-python-client',
  missing: !pythonHasIt(),
  async generate(document, folder) {
    const config = {
      // Formatting what it made is no test of it.
      post_hooks: [],
      // It has no code of its own for exports and imports.
      content_type_overrides: { 'application/x-ndjson': 'application/octet-stream' },
    }
    await Bun.write(join(folder, 'config.json'), JSON.stringify(config))
    const paths = ['--path', document, '--output-path', join(folder, 'client'), '--config', join(folder, 'config.json')]
    const options = ['generate', '--meta', 'none', '--fail-on-warning', ...paths]
    const { stdout, stderr } = await output([PYTHON, '-m', 'openapi_python_client', ...options], folder)
    return stdout + stderr
  },
  async round(folder, { url, email, picture }) {
    const command = [PYTHON, join(ROUNDS, 'openapi_python.py'), url, email, picture]
    const { stdout } = await output(command, folder, { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' })
    return JSON.parse(stdout)
  },
}

export const GENERATORS: readonly Generator[] = [
  inBun('openapi-fetch', 'openapi-typescript', (document) => [
    document,
    '--output',
    'client.ts',
    // Otherwise a field with a default is required when a record is created.
    '--default-non-nullable=false',
  ]),
  inBun('hey-api', 'openapi-ts', (document) => ['--input', document, '--output', 'client', '--no-log-file']),
  PYTHON_CLIENT,
]

if (PYTHON_CLIENT.missing) {
  console.warn(
    `${PYTHON} has no openapi-python-client: its tests are skipped (pip install openapi-python-client; PYTHON names another).`,
  )
}
