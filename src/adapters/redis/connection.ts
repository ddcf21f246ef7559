import type { Log } from '../../application/ports/system.ts'
import type { Namespace } from './namespace.ts'
import { withTimeout } from './response-timeout.ts'
import { openSession, type Script, type Session, script } from './session.ts'

/** A connection to Redis, which may be down at any time and reconnects automatically. */
export interface RedisConnection {
  isUp(): boolean
  /** Rejects while it is down. */
  ping(): Promise<void>
  /** Rejects at once while it is down, and after a short timeout if Redis does not respond. */
  send(command: string, args: readonly string[]): Promise<unknown>
  /** Runs a script as one step. Rejects as {@link RedisConnection.send} does. */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>
  /** Calls `listener` with each message of a channel while it is up. Call it before {@link RedisConnection.start}. */
  listen(channel: string, listener: (message: string) => void): void
  /** Called each time it is up; earlier messages may have been lost. */
  onUp(listener: () => void): void
  /** Resolves when the first attempt has ended, successfully or not. */
  start(): Promise<void>
  stop(): Promise<void>
}

interface Deps {
  /** May contain a password, so it must not appear in messages. */
  readonly url: string
  readonly namespace: Namespace
  readonly log: Log
  readonly heartbeatMs?: number
}

const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 1_000

/**
 * Writes and publishes, because every operation needs one of the two. The key expires when no process does so any more.
 */
const HEARTBEAT = script(`
  redis.call('SET', KEYS[1], ARGV[2], 'PX', 10000)
  return redis.call('PUBLISH', ARGV[1], ARGV[2])
`)

const downError = () => new Error('Redis is down')

/** The reason that the operator has to act on, if Redis is not simply unavailable. */
const refusalOf = (error: unknown): string | null => {
  if (!(error instanceof Error)) return null
  if (/^(WRONGPASS|NOAUTH)\b|invalid password/i.test(error.message)) return 'wrong user or password in REDIS_URL'
  return /^NOPERM\b/.test(error.message) ? `the user in REDIS_URL lacks rights: ${error.message}` : null
}

/**
 * Sends a message to itself that must come back through the channel, so that a silently dead connection, or one without
 * write permission, is detected within {@link Deps.heartbeatMs} plus the response timeout.
 */
const createHeartbeat = (namespace: Namespace) => {
  const channel = namespace.name(`process:${crypto.randomUUID()}`)
  let count = 0
  let onMessage: (message: string) => void = () => {}
  return {
    channel,
    received: (message: string) => onMessage(message),
    async beat(session: Session): Promise<void> {
      const number = String(++count)
      const returned = new Promise<void>((resolve) => {
        onMessage = (message) => {
          if (message === number) resolve()
        }
      })
      await withTimeout(Promise.all([session.run(HEARTBEAT, [namespace.name('alive')], [channel, number]), returned]))
    },
  }
}

/** Logs an outage once, its end, and each new reason that the operator has to act on. */
const createOutageLog = (log: Log) => {
  /** The last logged state; null if the connection works. */
  let logged: string | null = null
  return {
    ended(): void {
      if (logged !== null) log.info('Redis is back: limits and wake-ups are shared again')
      logged = null
    },
    failed(error: unknown): void {
      const refusal = refusalOf(error)
      if (logged !== null && (refusal === null || refusal === logged)) return
      logged = refusal ?? 'away'
      const reason = refusal ?? (error instanceof Error ? error.message : String(error))
      log.warn('Redis is down: each process counts its own limits and looks for changes once a second', { reason })
    },
  }
}

/** A pause that can be canceled. */
const pauseFor = (milliseconds: number) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, milliseconds)
  const end = () => {
    clearTimeout(timer)
    resolve()
  }
  return { promise, end }
}

export const createRedisConnection = ({ url, namespace, log, heartbeatMs = 250 }: Deps): RedisConnection => {
  const listeners = new Map<string, (message: string) => void>()
  const upListeners: (() => void)[] = []
  const heartbeat = createHeartbeat(namespace)
  const outages = createOutageLog(log)
  let session: Session | null = null
  let following: Promise<void> = Promise.resolve()
  let stopping = false
  /** Ends the wait of {@link keepConnected}. */
  let interrupt: () => void = () => {}
  const interruptBy = (end: () => void): void => {
    interrupt = end
    if (stopping) end()
  }

  const onConnected = (opened: Session): void => {
    session = opened
    outages.ended()
    for (const listener of upListeners) listener()
  }

  const onDisconnected = (error: unknown): void => {
    session = null
    if (!stopping) outages.failed(error)
  }

  const receive = (message: string, channel: string): void => {
    if (channel === heartbeat.channel) heartbeat.received(message)
    else listeners.get(channel)?.(message)
  }

  /** Runs from an attempt to connect until the connection is lost, and then resolves. */
  const runSession = async (connected: () => void): Promise<never> => {
    const { promise: lost, reject: onEnd } = Promise.withResolvers<never>()
    lost.catch(() => {})
    const channels = [heartbeat.channel, ...listeners.keys()]
    const opened = await openSession({ url, channels, onMessage: receive, onEnd })
    interruptBy(() => opened.end(downError()))
    let timer: ReturnType<typeof setTimeout> | undefined
    const round = async (): Promise<void> => {
      try {
        await heartbeat.beat(opened)
        if (stopping) return
        if (session === null) {
          onConnected(opened)
          connected()
        }
        timer = setTimeout(round, heartbeatMs)
      } catch (error) {
        opened.end(error instanceof Error ? error : downError())
      }
    }
    void round()
    try {
      return await lost
    } finally {
      clearTimeout(timer)
    }
  }

  const keepConnected = async (tried: () => void): Promise<void> => {
    let delay = FIRST_RETRY_MS
    const connected = () => {
      delay = FIRST_RETRY_MS
      tried()
    }
    while (!stopping) {
      await runSession(connected).catch(onDisconnected)
      tried()
      const pause = pauseFor(delay)
      interruptBy(pause.end)
      await pause.promise
      delay = Math.min(2 * delay, MAX_RETRY_MS)
    }
  }

  return {
    isUp: () => session !== null,
    async ping() {
      if (session === null) throw downError()
    },
    send: (command, args) => session?.send(command, args) ?? Promise.reject(downError()),
    run: (wanted, keys, args) => session?.run(wanted, keys, args) ?? Promise.reject(downError()),
    listen: (channel, listener) => void listeners.set(channel, listener),
    onUp: (listener) => void upListeners.push(listener),
    start: () =>
      new Promise((tried) => {
        following = keepConnected(tried)
      }),
    async stop() {
      stopping = true
      interrupt()
      await following
    },
  }
}
