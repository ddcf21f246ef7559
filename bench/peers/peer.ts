import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../tests/support/port.ts'
import { track } from '../lib/cleanup.ts'
import { type Core, pinned } from '../lib/cores.ts'
import { spawnProgram } from '../lib/server.ts'

/** One request as wrk sends it again and again. */
export interface Asked {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Account {
  readonly id: string | number
  readonly token: string
}

export interface Credentials {
  readonly email: string
  readonly password: string
}

/** A note as a client sends it. */
export interface Draft {
  readonly title: string
  readonly description: string
  readonly price: number
}

/** How one asks for the same thing at each peer. */
export interface Api {
  readonly health: string
  signUp(url: string, credentials: Credentials): Promise<void>
  signIn(credentials: Credentials): Asked
  /** Takes token and id out of the answer to {@link signIn}. */
  accountOf(answer: unknown): Account
  readonly notes: string
  draftOf(draft: Draft, account: Account): object
  /** The newest 20 of one's notes. */
  list(withTotal: boolean): string
  /** The cheapest 20 below a price, without a total. */
  cheaperThan(price: number): string
  /** The id of a note, out of the answer to its creation. */
  idOf(answer: unknown): string | number
  /** Of an answer to a list. */
  totalOf(answer: unknown): unknown
  /** How subscribers hear of new notes; null where there is nothing of the kind. */
  readonly live: 'skep' | 'pocketbase' | 'trailbase' | 'publish' | null
}

/** What is to be known beside the figures. */
export interface Promises {
  /** What an answered create has passed through. */
  readonly create: string
  /** What a sign-in hashes. */
  readonly hash: string
  readonly list: string
}

export interface Installed {
  readonly version: string
  /** Files and folders that have to be deployed. */
  readonly deployed: readonly string[]
  command(port: number): { readonly command: readonly string[]; readonly env?: Readonly<Record<string, string>> }
  /** Called once with the empty folder that the server will run in. */
  prepare?(folder: string): Promise<void>
  /** Called once with the running server, before anybody signs up. */
  define?(url: string): Promise<void>
}

export interface Peer {
  readonly name: string
  readonly promises: Promises
  readonly api: Api
  /**
   * Installs it into a folder that outlives the run, unless it is there already; answers why not, where something is
   * missing. Rejects when it would have to be installed and must not be.
   */
  install(scratch: string, mayInstall: boolean): Promise<Installed | string>
}

export interface Running {
  readonly url: string
  readonly pid: number
  /** Milliseconds from the start of the process to the first answer. */
  readonly startMs: number
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 20_000
const REQUEST_TIMEOUT_MS = 20_000
/** Of a command that installs or prepares a peer. */
const RUN_TIMEOUT_MS = 900_000
const POLL_MS = 1
const ENDED_BY_SIGTERM = 143

/** Runs a program to its end. Rejects with what it printed when it fails. */
export const run = async (
  command: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<string> => {
  const { cwd, env } = options
  const child = track(
    Bun.spawn([...command], {
      cwd,
      env: { ...process.env, ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: RUN_TIMEOUT_MS,
      // npm does not end by a signal that it can catch while it compiles.
      killSignal: 'SIGKILL',
    }),
  )
  const [output, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()])
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')} failed: ${output}${complaint}`)
  return output
}

/**
 * Installs into `folder`, or answers the version that is installed there already, for as long as the files that tell
 * what to install stay the same.
 */
export const installOnce = async (
  folder: string,
  manifests: readonly string[],
  mayInstall: boolean,
  install: () => Promise<string>,
): Promise<string> => {
  const marker = join(folder, 'installed.json')
  const wanted = manifests.map((path) => readFileSync(path, 'utf8')).join('\n')
  if (existsSync(marker)) {
    const { manifest, version } = JSON.parse(readFileSync(marker, 'utf8')) as { manifest: string; version: string }
    if (manifest === wanted) return version
  }
  if (!mayInstall) throw new Error('not installed: bun run bench peers --install')
  // What was left half installed would not become whole.
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const version = await install()
  await Bun.write(marker, JSON.stringify({ manifest: wanted, version }))
  return version
}

const isAnswered = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) }).then(
    async (response) => {
      await response.text()
      return response.ok
    },
    () => false,
  )

/** Starts a peer in its folder and waits until it answers. */
export const startPeer = async (
  { api, name }: { readonly name: string; readonly api: Pick<Api, 'health'> },
  { command }: Pick<Installed, 'command'>,
  { folder, core }: { readonly folder: string; readonly core: Core },
): Promise<Running> => {
  const port = freePort()
  const url = `http://127.0.0.1:${port}`
  const options = { ...command(port), folder, core }
  const from = performance.now()
  const program = spawnProgram(options)
  while (!(await isAnswered(url + api.health))) {
    if (performance.now() - from > START_TIMEOUT_MS) {
      await program.stop().catch(() => {})
      throw new Error(`${name}: ${pinned(options.command, core).join(' ')} does not answer:\n${program.output()}`)
    }
    await Bun.sleep(POLL_MS)
  }
  const startMs = performance.now() - from
  return {
    url,
    pid: program.pid,
    startMs,
    // Some end by the signal once they have stopped.
    stop: () =>
      program.stop().catch(async (error: unknown) => {
        if ((await program.exited) !== ENDED_BY_SIGTERM) throw error
      }),
  }
}

/** Sends one request. Rejects unless it succeeds; answers the JSON. */
export const send = async (url: string, { path, ...request }: Asked): Promise<unknown> => {
  const response = await fetch(url + path, { ...request, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${request.method ?? 'GET'} ${path} answered ${response.status}: ${text}`)
  return text === '' ? null : JSON.parse(text)
}

/** Most answer the note itself. */
export const idOfRecord = (answer: unknown): string | number => (answer as { readonly id: string | number }).id

/** A request with a JSON body. */
export const posting = (path: string, body: object, token?: string): Asked => ({
  path,
  method: 'POST',
  headers: {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  },
  body: JSON.stringify(body),
})
