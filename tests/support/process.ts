import { setDefaultTimeout } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Answer, type Call, callAt, type Fields } from './call.ts'
import { stackOf } from './stack.ts'

// A hung process is what this catches, not a slow machine.
setDefaultTimeout(30_000)

/** The compiled program under test; undefined when it is run from source. */
export const BINARY = process.env.SKEP_BINARY ? resolve(process.env.SKEP_BINARY) : undefined

const COMMAND = BINARY === undefined ? [process.execPath, resolve(import.meta.dir, '../../src/main.ts')] : [BINARY]

/** What a process needs to run at all, so that settings in the developer's shell change no test. */
const BARE_ENVIRONMENT = { PATH: process.env.PATH ?? '', HOME: tmpdir(), TMPDIR: tmpdir() }

/** Room for a stop under way to be looked at. */
const DEFAULTS = { PORT: '0', RATE_LIMIT: 'off', RATE_LIMIT_AUTH: 'off', SHUTDOWN_TIMEOUT: '1h' }

const ANNOUNCEMENT = /listening on (\S+) \(docs at (\S+?)\), data in ([^"\n]+)/

export interface Folder extends Disposable {
  readonly path: string
}

/** An empty folder, gone at the end of the scope that holds it by `using`. */
export const folder = (): Folder => {
  const path = mkdtempSync(join(tmpdir(), 'skep-e2e-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

interface Reading {
  text(): string
  /** Resolves with the first match, rejects when the stream ends without one. */
  match(pattern: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<void>
  /** Closes our end of the pipe: the process writes to nobody from here on. */
  close(): Promise<void>
}

const read = (stream: ReadableStream<Uint8Array>): Reading => {
  let text = ''
  let open = true
  const listeners = new Set<() => void>()
  const notify = () => {
    for (const listener of listeners) listener()
  }
  const reader = stream.getReader()
  const readAll = async () => {
    const decoder = new TextDecoder()
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += decoder.decode(part.value, { stream: true })
      notify()
    }
    open = false
    notify()
  }
  return {
    text: () => text,
    ended: readAll(),
    close: () => reader.cancel(),
    match: (pattern) =>
      new Promise((found, missed) => {
        const look = () => {
          const match = pattern.exec(text)
          if (match !== null) found(match)
          else if (!open) missed(new Error(`no ${pattern} in: ${text}`))
          else return
          listeners.delete(look)
        }
        listeners.add(look)
        look()
      }),
  }
}

export interface Exit {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd: string
  readonly stdin?: string
}

/** A child process, killed at the end of the scope that holds it by `await using`. */
export interface Skep extends AsyncDisposable {
  readonly pid: number
  readonly stdout: Reading
  readonly stderr: Reading
  signal(name: NodeJS.Signals): void
  /** Waits until it has ended by itself. */
  exit(): Promise<Exit>
}

/** Starts the program with nothing in its environment but `env`. */
export const spawn = (args: readonly string[], { env = {}, cwd, stdin = '' }: Options): Skep => {
  const child = Bun.spawn([...COMMAND, ...args], {
    cwd,
    env: { ...BARE_ENVIRONMENT, ...env },
    stdin: Buffer.from(stdin),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const stdout = read(child.stdout)
  const stderr = read(child.stderr)
  const exit = async (): Promise<Exit> => {
    await Promise.all([child.exited, stdout.ended, stderr.ended])
    return { code: child.exitCode, signal: child.signalCode, stdout: stdout.text(), stderr: stderr.text() }
  }
  return {
    pid: child.pid,
    stdout,
    stderr,
    signal: (name) => child.kill(name),
    exit,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exit()
    },
  }
}

/** The same on the services of the stack under test. */
const onStack = async (args: readonly string[], options: Options): Promise<Options> => {
  const flag = args.indexOf('--data-dir')
  const dataDir = (flag === -1 ? undefined : args[flag + 1]) ?? options.env?.DATA_DIR ?? 'data'
  const stack = await stackOf(resolve(options.cwd, dataDir), options.env)
  return { ...options, env: { ...stack, ...options.env } }
}

/** Runs one command to its end. */
export const run = async (args: readonly string[], options: Options): Promise<Exit> => {
  await using skep = spawn(args, await onStack(args, options))
  return await skep.exit()
}

export interface Server extends Skep {
  readonly url: string
  readonly docsUrl: string
  readonly dataDir: string
  /** `path` from `/api/v1` on, or from the root when it starts with `//`. */
  call<T = Fields>(method: string, path: string, options?: Call): Promise<Answer<T>>
}

/** `SKEP_TEST_WORKERS=2` runs the same tests on servers with two threads, where the database is embedded. */
const { SKEP_TEST_WORKERS: WORKERS } = process.env

/** How many threads of a server have the embedded database open: with several that serve, the main thread has it too. */
export const DATABASE_THREADS_COUNT = WORKERS === undefined ? 1 : 1 + Number(WORKERS)

const threads = (env: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => {
  const isAlone = /^postgres/.test(env.DATABASE_URL ?? '') || env.REDIS_URL !== undefined
  return WORKERS === undefined || isAlone ? {} : { WORKERS }
}

/** Starts a server and waits for its announcement. On a free port and without limits, unless `env` says otherwise. */
export const serve = async (options: Options, args: readonly string[] = []): Promise<Server> => {
  const stacked = await onStack(args, options)
  const skep = spawn(['serve', ...args], { ...stacked, env: { ...DEFAULTS, ...threads(stacked.env), ...stacked.env } })
  try {
    const [, url = '', docsUrl = '', dataDir = ''] = await skep.stdout.match(ANNOUNCEMENT)
    return {
      ...skep,
      url,
      docsUrl,
      dataDir,
      call: (method, path, call) => callAt(url, method, path, call),
    }
  } catch (error) {
    const { code, stderr } = await skep.exit()
    throw new Error(`serve exited with ${code}: ${stderr}`, { cause: error })
  }
}

/** Every entry of a log written as JSON. */
export const entriesOf = (stdout: string): Fields[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

export { processorTime, residentMemory } from './resources.ts'
