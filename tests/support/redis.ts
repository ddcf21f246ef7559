import { afterAll } from 'bun:test'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createRedisConnection, type RedisConnection } from '../../src/adapters/redis/connection.ts'
import { createNamespace, type Namespace } from '../../src/adapters/redis/namespace.ts'
import { freePort } from './port.ts'
import { recordingLog, temporaryFolder } from './skep.ts'

const PROGRAM = Bun.which('redis-server')
const GIVEN = process.env.SKEP_TEST_REDIS_URL

/** Put into the name of what is skipped, so that it says why. */
export const needsRedis = PROGRAM || GIVEN ? '' : ' (SKIPPED: needs redis-server or SKEP_TEST_REDIS_URL)'
/** The same for what stops and starts the server. */
export const needsRedisServer = PROGRAM ? '' : ' (SKIPPED: needs redis-server)'

export interface RedisServer {
  readonly url: string
  readonly unixUrl: string
  start(): Promise<void>
  /** Ends it as a power cut would. */
  kill(): Promise<void>
  /** Stops it without a word to those who are connected. */
  freeze(): void
  thaw(): void
  /** While it is not started: resolves when its port has turned away so many connections. */
  refuse(connections: number): Promise<void>
  /** Runs one command on a connection of its own. */
  command(name: string, ...args: string[]): Promise<unknown>
}

/** A server of this file's own, not started yet, on one port through all its lives. It keeps nothing on the disk. */
export const redisServer = async (options: readonly string[] = [], password = ''): Promise<RedisServer> => {
  if (PROGRAM === null) throw new Error('no redis-server')
  const folder = temporaryFolder()
  const port = freePort()
  const socket = join(folder, 'redis.sock')
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--unixsocket', socket, '--dir', folder, '--save', '']
  const secret = password === '' ? [] : ['--requirepass', password]
  const url = `redis://${password === '' ? '' : `:${password}@`}127.0.0.1:${port}`
  let child: Bun.Subprocess | null = null

  const command = async (name: string, ...args: string[]): Promise<unknown> => {
    const client = new Bun.RedisClient(url, { autoReconnect: false })
    try {
      return await client.send(name, args)
    } finally {
      client.close()
    }
  }
  const kill = async () => {
    child?.kill('SIGKILL')
    await child?.exited
    child = null
    await rm(socket, { force: true })
  }
  afterAll(kill)

  return {
    url,
    unixUrl: `redis+unix://${socket}`,
    kill,
    command,
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
    async refuse(connections) {
      const refused = Promise.withResolvers<void>()
      let left = connections
      const closed = createServer((socket) => {
        socket.on('error', () => {})
        socket.destroy()
        if (--left === 0) refused.resolve()
      })
      await new Promise<void>((listening, failed) => {
        closed.once('error', failed)
        closed.listen(port, '127.0.0.1', listening)
      })
      await refused.promise
      await new Promise((done) => closed.close(done))
    },
    async start() {
      const started = Bun.spawn([PROGRAM, ...own, ...secret, ...options], { stdout: 'pipe', stderr: 'ignore' })
      child = started
      for await (const line of started.stdout.pipeThrough(new TextDecoderStream())) {
        if (/Ready to accept connections/.test(line)) return
      }
      throw new Error(`redis-server ended with ${await started.exited}`)
    },
  }
}

/** The Redis that is given, or one for all tests of a file that only need one to be there. To be called outside them. */
export const anyRedis = async (): Promise<string> => {
  if (GIVEN) return GIVEN
  const server = await redisServer()
  await server.start()
  return server.url
}

export interface TestConnection {
  readonly connection: RedisConnection
  readonly namespace: Namespace
  readonly log: ReturnType<typeof recordingLog>
}

/** What a process has of a Redis; not started, so that the test can hang on it what it needs. */
export const openConnection = (url: string, secret: string = crypto.randomUUID()): TestConnection => {
  const log = recordingLog()
  const namespace = createNamespace(secret)
  const connection = createRedisConnection({ url, namespace, log })
  afterAll(connection.stop)
  return { connection, namespace, log }
}
