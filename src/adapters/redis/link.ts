import type { Log } from '../../application/ports/system.ts'
import type { Namespace } from './namespace.ts'
import { within } from './patience.ts'
import { openSession, type Script, type Session, script } from './session.ts'

/** The way to Redis, which may be down at any time and heals by itself. */
export interface RedisLink {
  isUp(): boolean
  /** Rejects while it is down. */
  ping(): Promise<void>
  /** Rejects at once while it is down, and in a moment when Redis does not answer. */
  send(command: string, args: readonly string[]): Promise<unknown>
  /** Runs a script as one step. Rejects as {@link RedisLink.send} does. */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>
  /** Hears the messages of a channel while the link is up. To be called before {@link RedisLink.start}. */
  listen(channel: string, listener: (message: string) => void): void
  /** Called each time it is up: what came before may have been missed. */
  onUp(listener: () => void): void
  /** Resolves when the first try has ended, well or not. */
  start(): Promise<void>
  stop(): Promise<void>
}

interface Deps {
  /** May hold a password: it goes into no message. */
  readonly url: string
  readonly namespace: Namespace
  readonly log: Log
  /** Milliseconds between two looks whether a message comes back. */
  readonly beatEvery?: number
}

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 1_000

/** Writes and publishes, as all we do needs one or the other. The key goes when nobody beats. */
const BEAT = script(`
  redis.call('SET', KEYS[1], ARGV[2], 'PX', 10000)
  return redis.call('PUBLISH', ARGV[1], ARGV[2])
`)

const down = () => new Error('Redis is down')

/** What the operator has to do something about, where it is not just that Redis is away. */
const refusalOf = (error: unknown): string | null => {
  if (!(error instanceof Error)) return null
  if (/^(WRONGPASS|NOAUTH)\b|invalid password/i.test(error.message)) return 'wrong user or password in REDIS_URL'
  return /^NOPERM\b/.test(error.message) ? `the user in REDIS_URL lacks rights: ${error.message}` : null
}

/**
 * Beats: a message to itself must come back through the channel. So a connection that is dead without a word, or that
 * may no more write, is found out within {@link Deps.beatEvery} and what an answer may take.
 */
export const createRedisLink = ({ url, namespace, log, beatEvery = 250 }: Deps): RedisLink => {
  const listeners = new Map<string, (message: string) => void>()
  const upListeners: (() => void)[] = []
  const own = namespace.name(`process:${crypto.randomUUID()}`)
  let session: Session | null = null
  /** Ends what the link waits for. */
  let interrupt: () => void = () => {}
  let stopping = false
  let following: Promise<void> = Promise.resolve()
  /** What the log was told last: null that all is well. */
  let told: string | null = null

  let beats = 0
  let heard: (number: string) => void = () => {}
  const beat = async (on: Session): Promise<void> => {
    const number = String(++beats)
    const back = new Promise<void>((resolve) => {
      heard = (message) => {
        if (message === number) resolve()
      }
    })
    await within(Promise.all([on.run(BEAT, [namespace.name('alive')], [own, number]), back]))
  }

  const wentUp = (opened: Session) => {
    session = opened
    if (told !== null) log.info('Redis is back: limits and wake-ups are shared again')
    told = null
    for (const listener of upListeners) listener()
  }

  const wentDown = (error: unknown) => {
    session = null
    const refusal = refusalOf(error)
    if (stopping || (told !== null && (refusal === null || refusal === told))) return
    told = refusal ?? 'away'
    const reason = refusal ?? (error instanceof Error ? error.message : String(error))
    log.warn('Redis is down: each process counts its own limits and looks for changes once a second', { reason })
  }

  /** From a try to connect until the connection is lost. Never resolves otherwise. */
  const live = async (connected: () => void): Promise<never> => {
    const channels = [own, ...listeners.keys()]
    const hear = (message: string, channel: string) =>
      channel === own ? heard(message) : listeners.get(channel)?.(message)
    const { promise: lost, reject: onEnd } = Promise.withResolvers<never>()
    lost.catch(() => {})
    const opened = await openSession({ url, channels, hear, onEnd })
    interrupt = () => opened.end(down())
    if (stopping) interrupt()
    let timer: ReturnType<typeof setTimeout> | undefined
    const round = async (): Promise<void> => {
      try {
        await beat(opened)
        if (stopping) return
        if (session === null) {
          wentUp(opened)
          connected()
        }
        timer = setTimeout(round, beatEvery)
      } catch (error) {
        opened.end(error instanceof Error ? error : down())
      }
    }
    void round()
    try {
      return await lost
    } finally {
      clearTimeout(timer)
    }
  }

  const pause = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      interrupt = () => {
        clearTimeout(timer)
        resolve()
      }
      if (stopping) interrupt()
    })

  const follow = async (tried: () => void): Promise<void> => {
    let delay = FIRST_RETRY_MS
    const connected = () => {
      delay = FIRST_RETRY_MS
      tried()
    }
    while (!stopping) {
      await live(connected).catch(wentDown)
      tried()
      await pause(delay)
      delay = Math.min(2 * delay, LAST_RETRY_MS)
    }
  }

  return {
    isUp: () => session !== null,
    async ping() {
      if (session === null) throw down()
    },
    send: (command, args) => session?.send(command, args) ?? Promise.reject(down()),
    run: (wanted, keys, args) => session?.run(wanted, keys, args) ?? Promise.reject(down()),
    listen: (channel, listener) => void listeners.set(channel, listener),
    onUp: (listener) => void upListeners.push(listener),
    start: () =>
      new Promise((tried) => {
        following = follow(tried)
      }),
    async stop() {
      stopping = true
      interrupt()
      await following
    },
  }
}
