import { resolve } from 'node:path'
import type { Fields } from './call.ts'

/** A WebSocket library that nobody here wrote, and the program that drives it. */
export interface Library {
  readonly name: string
  readonly command: readonly string[]
  /** Whether it is not installed here. */
  readonly missing: boolean
}

const program = (name: string) => resolve(import.meta.dir, '../clients', name)
const PYTHON = process.env.PYTHON ?? 'python3'

const runs = (command: readonly string[]): boolean =>
  Bun.which(command[0] ?? '') !== null && Bun.spawnSync([...command], { stdout: 'ignore', stderr: 'ignore' }).success

const WS: Library = { name: 'npm ws', command: ['node', program('ws.mjs')], missing: !runs(['node', '--version']) }
const WEBSOCKETS: Library = {
  name: "Python's websockets",
  command: [PYTHON, program('websockets_client.py')],
  missing: !runs([PYTHON, '-c', 'import websockets.asyncio.client']),
}

export const LIBRARIES: readonly Library[] = [WS, WEBSOCKETS]
if (WS.missing) console.warn('No node on the PATH: tests with npm ws are skipped.')
if (WEBSOCKETS.missing) {
  console.warn(`${PYTHON} has no websockets: its tests are skipped (pip install websockets; PYTHON names another).`)
}

/** What a client saw: `open`, `refused`, `text`, `binary`, `pong` or `close`. */
export interface Observation {
  readonly saw: string
  readonly text?: string
  readonly status?: number
  readonly code?: number
}

export interface Client extends AsyncDisposable {
  /** Everything it saw so far. */
  readonly observations: readonly Observation[]
  /** The JSON objects among them. */
  frames(): readonly Fields[]
  act(act: string, rest?: Fields): void
  send(frame: Fields): void
  /** The first sight, from the beginning on, that is such; waits for it. */
  untilObserved(is: (observation: Observation) => boolean): Promise<Observation>
  /** The first frame with these members, and perhaps others; waits for it. */
  receives(members: Fields): Promise<Fields>
  signal(name: NodeJS.Signals): void
}

const TIMEOUT_MS = 25_000

const frameOf = ({ saw, text = '' }: Observation): Fields | null => {
  if (saw !== 'text' || !text.startsWith('{')) return null
  const frame: unknown = JSON.parse(text)
  return frame as Fields
}

const hasAll = (value: unknown, members: unknown): boolean =>
  typeof members === 'object' && members !== null && typeof value === 'object' && value !== null
    ? Object.entries(members).every(([name, member]) => hasAll(Reflect.get(value, name), member))
    : value === members

/** Starts one client; it ends with the scope that holds it by `await using`. */
export const startClient = ({ command }: Library): Client => {
  const observations: Observation[] = []
  const waiting = new Set<() => void>()
  const child = Bun.spawn([...command], { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' })
  const complaints = child.stderr.text()
  const read = async () => {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const part of child.stdout) {
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) observations.push(JSON.parse(line))
      for (const look of waiting) look()
    }
  }
  const ended = read()

  const untilObserved = async (is: (observation: Observation) => boolean): Promise<Observation> => {
    const { promise, resolve: found } = Promise.withResolvers<Observation>()
    let next = 0
    const look = () => {
      for (; next < observations.length; next++) {
        const observation = observations[next]
        if (observation !== undefined && is(observation)) return found(observation)
      }
    }
    waiting.add(look)
    look()
    try {
      const observation = await Promise.race([promise, Bun.sleep(TIMEOUT_MS), ended])
      if (observation === undefined) {
        child.kill('SIGKILL')
        throw new Error(`waited for nothing; ${JSON.stringify(observations.slice(-5))} ${await complaints}`)
      }
      return observation
    } finally {
      waiting.delete(look)
    }
  }
  const act = (name: string, rest: Fields = {}) => {
    child.stdin.write(`${JSON.stringify({ act: name, ...rest })}\n`)
    child.stdin.flush()
  }
  return {
    observations,
    frames: () => observations.map(frameOf).filter((frame) => frame !== null),
    act,
    send: (frame) => act('text', { text: JSON.stringify(frame) }),
    untilObserved,
    async receives(members) {
      const observation = await untilObserved((candidate) => {
        const frame = frameOf(candidate)
        return frame !== null && hasAll(frame, members)
      })
      return frameOf(observation) ?? {}
    },
    signal: (name) => child.kill(name),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
