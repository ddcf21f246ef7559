import { RedisClient } from 'bun'
import { createResponseTimeouts, RESPONSE_TIMEOUT_MS, withTimeout } from './response-timeout.ts'

/** A script that Redis runs as one step. */
export interface Script {
  readonly source: string
  readonly sha: string
}

export const script = (source: string): Script => ({
  source,
  sha: new Bun.CryptoHasher('sha1').update(source).digest('hex'),
})

/** One session with Redis: a client for commands and one for subscriptions, from opening until one of them fails. */
export interface Session {
  /**
   * Rejects if Redis returns an error, and within {@link RESPONSE_TIMEOUT_MS} if it does not respond, which ends the
   * session.
   */
  send(command: string, args: readonly string[]): Promise<unknown>
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>
  end(reason: Error): void
}

interface Options {
  readonly url: string
  readonly channels: readonly string[]
  readonly onMessage: (message: string, channel: string) => void
  /** Called once, when the session is over. */
  readonly onEnd: (reason: Error) => void
}

/** Rejects with Redis' error about the address, the password or the permissions of the user. */
export const openSession = async ({ url, channels, onMessage, onEnd }: Options): Promise<Session> => {
  const clients: RedisClient[] = []
  let isOver = false

  const end = (reason: Error): void => {
    if (isOver) return
    isOver = true
    timeouts.end(reason)
    for (const client of clients) client.close()
    onEnd(reason)
  }
  const timeouts = createResponseTimeouts(end)

  const connect = async (): Promise<RedisClient> => {
    // A client does not resubscribe, and gives up after some attempts, so each session has new ones.
    const client = new RedisClient(url, { autoReconnect: false, connectionTimeout: RESPONSE_TIMEOUT_MS })
    clients.push(client)
    client.onclose = end
    // Only a command that waits for the connection gets the reason for a failure.
    await client.send('PING', [])
    return client
  }

  const opening = async (): Promise<RedisClient> => {
    const [commands, listening] = await Promise.all([connect(), connect()])
    for (const channel of channels) await listening.subscribe(channel, onMessage)
    return commands
  }

  try {
    const commands = await withTimeout(opening(), 2 * RESPONSE_TIMEOUT_MS)
    const send = async (command: string, args: readonly string[]): Promise<unknown> => {
      if (isOver) throw new Error('the connection is closed')
      return timeouts.waitFor(commands.send(command, [...args]))
    }
    return {
      send,
      async run({ source, sha }, keys, args) {
        const rest = [String(keys.length), ...keys, ...args]
        try {
          return await send('EVALSHA', [sha, ...rest])
        } catch (error) {
          // Redis loses scripts when it restarts.
          if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
          return send('EVAL', [source, ...rest])
        }
      },
      end,
    }
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error))
    end(reason)
    throw reason
  }
}
