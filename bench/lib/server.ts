import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { track } from './cleanup.ts'
import { type Core, pinned } from './cores.ts'

export interface ServerOptions {
  readonly command: readonly string[]
  /** A folder of its own: its log goes there, and no `.env` of ours is read. */
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  readonly core: Core
}

export interface Spawned {
  readonly pid: number
  readonly exited: Promise<number>
  /** What it printed so far, errors included. */
  output(): string
  /** Asks it to stop. Rejects unless it then ends well and in time. */
  stop(): Promise<void>
}

export interface Server extends Spawned, AsyncDisposable {
  readonly url: string
  /** Bytes printed since the last time, which are thrown away: hours of load must not fill the disk. */
  takeLog(): number
}

const START_TIMEOUT_MS = 15_000
const STOP_TIMEOUT_MS = 15_000
const POLL_MS = 5

/** Only what a program needs to run: settings in the caller's environment must not reach the server. */
const bareEnvironment = (): Record<string, string> => {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG']
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

const logOf = (folder: string) => join(folder, 'output.log')

/** Starts a program; its output goes to a file, as a service manager would have it. */
export const spawnProgram = ({ command, folder, env, core }: ServerOptions): Spawned => {
  const log = logOf(folder)
  // What an earlier program said there must not be taken for this one's.
  writeFileSync(log, '')
  const output = openSync(log, 'a')
  const child = track(
    Bun.spawn(pinned(command, core), {
      cwd: folder,
      env: { ...bareEnvironment(), ...env },
      stdin: 'ignore',
      stdout: output,
      stderr: output,
    }),
  )
  closeSync(output)
  return {
    pid: child.pid,
    exited: child.exited,
    output: () => readFileSync(log, 'utf8'),
    async stop() {
      child.kill('SIGTERM')
      const code = await Promise.race([child.exited, Bun.sleep(STOP_TIMEOUT_MS).then(() => 'no exit in time')])
      if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`)
    },
  }
}

/** Starts a server and waits for the line that says `listening on URL`. */
export const startServer = async (options: ServerOptions): Promise<Server> => {
  const program = spawnProgram(options)
  const log = logOf(options.folder)
  let ended: number | null = null
  void program.exited.then((code) => {
    ended = code
  })
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const url = /listening on (http:\/\/[^\s",]+)/.exec(program.output())?.[1]
    if (url !== undefined) {
      return {
        ...program,
        url,
        takeLog() {
          const { size } = statSync(log)
          truncateSync(log)
          return size
        },
        [Symbol.asyncDispose]: program.stop,
      }
    }
    if (ended !== null || performance.now() > deadline) {
      throw new Error(`${options.command.join(' ')} did not start:\n${program.output()}`)
    }
    await Bun.sleep(POLL_MS)
  }
}
