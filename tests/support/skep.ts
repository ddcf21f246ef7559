import { afterAll } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPasswordHasher } from '../../src/adapters/bun/password-hasher.ts'
import { readSettings, type Settings, type ValidSettings } from '../../src/adapters/env/settings.ts'
import type { Log, LogFields, LogLevel } from '../../src/application/ports/system.ts'
import { openBlobs } from '../../src/main/choices.ts'
import { type RunningSkep, type StartOptions, start } from '../../src/main.ts'
import { type Answer, type Call, callAt, type Fields } from './call.ts'
import { createMigratedDatabase } from './migrated.ts'
import { isShared, stackOf } from './stack.ts'

/** A folder that is gone when the tests of this file are done. */
export const temporaryFolder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'skep-'))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export interface Entry {
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** A log that keeps its entries for the test to read. */
export const recordingLog = () => {
  const entries: Entry[] = []
  const watchers = new Set<() => void>()
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      entries.push({ level, message, fields })
      for (const watcher of [...watchers]) watcher()
    }
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  /** Resolves once there is such an entry. */
  const until = (test: (entry: Entry) => boolean): Promise<void> =>
    new Promise((resolve) => {
      const watcher = () => {
        if (!entries.some(test)) return
        watchers.delete(watcher)
        resolve()
      }
      watchers.add(watcher)
      watcher()
    })
  return { ...log, entries, until }
}

/** Argon2id with parameters that cost next to nothing. */
export const quickPasswords = () => createPasswordHasher({ memoryCost: 8, timeCost: 1, waiting: 1_000 })

const validSettings = (environment: Readonly<Record<string, string>>): ValidSettings => {
  const result = readSettings(environment, {}, false)
  if ('problems' in result) throw new Error(result.problems.join('\n'))
  return result
}

export const settingsOf = (environment: Readonly<Record<string, string>>): Settings =>
  validSettings(environment).settings

export interface TestSkep extends RunningSkep {
  readonly dataDir: string
  readonly log: ReturnType<typeof recordingLog>
  /** The keys of all bytes that are kept, finished or not. */
  blobs(): Promise<readonly string[]>
  /** `path` from `/api/v1` on, or from the root when it starts with `//`. */
  call<T = Fields>(method: string, path: string, options?: Call): Promise<Answer<T>>
  /** Registers and signs in. */
  member(email?: string, password?: string): Promise<Member>
}

export interface Member {
  readonly id: number
  readonly email: string
  readonly password: string
  readonly token: string
  readonly refreshToken: string
}

let people = 0

interface TokenBody {
  readonly access_token: string
  readonly refresh_token: string
}

type Caller = <T>(method: string, path: string, options?: Call) => Promise<Answer<T>>

/** A further session of someone who is registered. */
export const signIn = async (
  call: Caller,
  { id, email, password }: Pick<Member, 'id' | 'email' | 'password'>,
): Promise<Member> => {
  const { body } = await call<TokenBody>('POST', '/auth/token', { form: { username: email, password } })
  return { id, email, password, token: body.access_token, refreshToken: body.refresh_token }
}

/** A server of its own on a free port, with a database of its own. Limits are off unless the test sets them. */
export const startSkep = async (
  environment: Readonly<Record<string, string>> = {},
  overrides: Partial<StartOptions> = {},
): Promise<TestSkep> => {
  const dataDir = environment.DATA_DIR ?? mkdtempSync(join(tmpdir(), 'skep-'))
  const defaults = { DATA_DIR: dataDir, PORT: '0', RATE_LIMIT: 'off', RATE_LIMIT_AUTH: 'off', SHUTDOWN_TIMEOUT: '2s' }
  const log = recordingLog()
  const stack = await stackOf(dataDir, environment)
  const isEmbedded = !isShared && environment.DATABASE_URL === undefined
  if (isEmbedded && environment.DATA_DIR === undefined) createMigratedDatabase(join(dataDir, 'skep.db'))
  const { settings, shown } = validSettings({ ...defaults, ...stack, ...environment })
  const running = await start({ settings, shownSettings: shown, log, passwords: quickPasswords(), ...overrides })
  const call = <T = Fields>(method: string, path: string, options?: Call) =>
    callAt<T>(running.url, method, path, options)
  let open = true
  const close = async () => {
    if (open) await running.close()
    open = false
  }
  afterAll(async () => {
    await close()
    if (environment.DATA_DIR === undefined) rmSync(dataDir, { recursive: true, force: true })
  })
  return {
    url: running.url,
    setupUrl: running.setupUrl,
    close,
    dataDir,
    log,
    call,
    blobs: async () => (await Array.fromAsync((await openBlobs(settings, log)).list())).map(({ key }) => key),
    async member(email = `person${++people}@example.com`, password = 'correct horse') {
      const registered = await call<{ id: number }>('POST', '/users/', { json: { email, name: 'Ann', password } })
      if (registered.status !== 201) throw new Error(`registering answered ${registered.status}`)
      return signIn(call, { id: registered.body.id, email, password })
    },
  }
}
