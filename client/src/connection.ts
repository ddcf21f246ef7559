import type { Credentials } from './auth.ts'
import { SkepError, type SkepErrorCode } from './errors.ts'
import { createLine } from './line.ts'
import { backoffMs, type OpenSocket, platform, randomKey } from './platform.ts'

/** An event as the server sends it. */
export interface EventFrame {
  readonly event: string
  readonly cursor: string
  readonly data: { readonly id: number; readonly version?: number }
}

/** What a subscription is told. */
export interface Subscriber {
  readonly topic: string
  readonly filter?: string | undefined
  /** Events follow. With a gap some are missing: list again. */
  onSubscribed(position: { readonly cursor: string; readonly gap: boolean }): void
  onEvent(event: EventFrame): void
  /** The connection is lost and will be made again, or nobody is signed in. */
  onDown(isSignedOut: boolean): void
  /** The subscription is over. */
  onEnd(error: SkepError): void
}

export interface Subscription {
  readonly subscriber: Subscriber
  /** Everything up to here was received. */
  cursor: string | null
  /** Events received since the cursor moved, which come again if one change leads to several. */
  seen: Set<string>
  /** Names the subscription on the present socket. */
  ref: string
  isActive: boolean
}

export interface Connection {
  add(subscription: Subscription): void
  remove(subscription: Subscription): void
  has(topic: string): boolean
  size(): number
  close(): void
}

export interface ConnectionOptions {
  /** With `ws:` or `wss:`. */
  readonly url: string
  readonly credentials: Credentials
  readonly WebSocket: OpenSocket
  readonly maxReconnectDelayMs: number
}

interface Frame extends Partial<EventFrame> {
  readonly type: string
  readonly topic?: string
  readonly ref?: string
  readonly gap?: boolean
  readonly user_id?: number
  readonly code?: SkepErrorCode
  readonly detail?: string
}

type Timer = ReturnType<typeof setTimeout> | undefined

const FIRST_RECONNECT_MS = 250
/** The longest time of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1
const SIGNED_OUT = 4401
/** Refusals of a subscription that may pass. */
const TEMPORARY: readonly (string | undefined)[] = ['unavailable', 'internal_error', 'already_subscribed']
const AUTH_REF = 'auth'

/** Events follow, from the position of the frame. */
const begin = (subscription: Subscription, { cursor = '', gap = false }: Frame) => {
  subscription.isActive = true
  const isOther = subscription.cursor === ''
  if (cursor !== subscription.cursor) subscription.seen = new Set()
  subscription.cursor = cursor
  subscription.subscriber.onSubscribed({ cursor, gap: gap || isOther })
}

/** Passes an event on, unless it has come already. */
const take = (subscription: Subscription, { event = '', cursor = '', data = { id: 0 } }: Frame) => {
  if (cursor !== subscription.cursor) subscription.seen = new Set()
  subscription.cursor = cursor
  const key = `${event} ${data.id} ${data.version}`
  if (subscription.seen.has(key)) return
  subscription.seen.add(key)
  subscription.subscriber.onEvent({ event, cursor, data })
}

/** One socket, for one subscription to each topic. Open while there are subscriptions and somebody is signed in. */
export const createConnection = ({
  url,
  credentials,
  WebSocket,
  maxReconnectDelayMs,
}: ConnectionOptions): Connection => {
  const subscriptions = new Map<string, Subscription>()
  const timers: { retry?: Timer; renewal?: Timer } = {}
  /** The token that the socket was signed in with. */
  let token: string | null = null
  /** One that the server did not accept. */
  let rejected: string | undefined
  let userId: number | null = null
  let isReady = false
  let isConnecting = false
  let isClosed = false
  let failures = 0
  let refs = 0

  const line = createLine({
    url: `${url}/ws/${randomKey().slice(0, 64)}`,
    WebSocket,
    onFrame: (text) => receive(JSON.parse(text)),
    onLost: (code) => lost(code),
  })

  const subscribe = (subscription: Subscription) => {
    const { subscriber, cursor } = subscription
    const { topic, filter } = subscriber
    subscription.ref = String(++refs)
    line.send({ type: 'subscribe', topic, filter, ref: subscription.ref, after: cursor || undefined })
  }

  const disconnect = () => {
    clearTimeout(timers.retry)
    clearTimeout(timers.renewal)
    timers.retry = undefined
    isReady = false
    line.close()
  }

  const down = (isSignedOut: boolean) => {
    disconnect()
    for (const subscription of [...subscriptions.values()]) {
      subscription.isActive = false
      subscription.subscriber.onDown(isSignedOut)
    }
  }

  const lost = (code?: number) => {
    if (code === SIGNED_OUT && token !== null) rejected = token
    down(false)
    timers.retry = setTimeout(connect, backoffMs(failures++, FIRST_RECONNECT_MS, maxReconnectDelayMs))
  }

  const connect = async (): Promise<void> => {
    if (isConnecting || line.isOpen() || isClosed || subscriptions.size === 0) return
    clearTimeout(timers.retry)
    timers.retry = undefined
    isConnecting = true
    try {
      token = await credentials.token(rejected)
    } catch {
      return lost()
    } finally {
      isConnecting = false
    }
    if (isClosed || subscriptions.size === 0) return
    // `onToken` connects when somebody signs in.
    if (token === null) return down(true)
    line.open({ type: 'auth', token })
  }

  /** Renews the token before it expires; `onToken` sends the new one. */
  const renewInTime = () => {
    clearTimeout(timers.renewal)
    const leftMs = (credentials.renewAtMs() ?? 0) - Date.now()
    // Without success the server closes the socket when the token expires, and connecting tries again.
    const renew = () => void credentials.token().catch(() => {})
    timers.renewal = setTimeout(renew, Math.min(MAX_TIMER_MS, Math.max(0, leftMs) + 1))
  }

  const ready = (user: number | undefined) => {
    renewInTime()
    if (isReady) return
    isReady = true
    rejected = undefined
    const isOther = userId !== null && userId !== user
    userId = user ?? null
    for (const subscription of subscriptions.values()) {
      // What somebody else has seen is no beginning.
      if (isOther) subscription.cursor = ''
      subscribe(subscription)
    }
  }

  const ended = (subscription: Subscription, code: SkepErrorCode = 'not_found', detail = 'The topic has ended') => {
    remove(subscription)
    subscription.subscriber.onEnd(new SkepError(code, detail))
  }

  const receive = (frame: Frame) => {
    switch (frame.type) {
      case 'ready':
        return ready(frame.user_id)
      case 'error':
        return refused(frame)
    }
    const subscription = subscriptions.get(frame.topic ?? '')
    if (subscription === undefined) return
    if (frame.type === 'subscribed') {
      // Sent again without a ref if a change concerned too many records.
      if (frame.ref === undefined ? !subscription.isActive : frame.ref !== subscription.ref) return
      failures = 0
      begin(subscription, frame)
    } else if (subscription.isActive) {
      if (frame.type === 'event') take(subscription, frame)
      // Without being asked.
      else if (frame.type === 'unsubscribed' && frame.ref === undefined) ended(subscription)
    }
  }

  const refused = ({ code, detail, ref }: Frame) => {
    if (ref === AUTH_REF) return lost(code === 'forbidden' ? undefined : SIGNED_OUT)
    const subscription = [...subscriptions.values()].find((each) => each.ref === ref)
    if (subscription === undefined) return
    if (TEMPORARY.includes(code)) lost()
    else ended(subscription, code, detail)
  }

  const remove = (subscription: Subscription) => {
    const { topic } = subscription.subscriber
    if (subscriptions.get(topic) !== subscription) return
    subscriptions.delete(topic)
    if (isReady) line.send({ type: 'unsubscribe', topic })
    if (subscriptions.size === 0) disconnect()
  }

  const retryNow = () => {
    if (!line.isOpen()) void connect()
  }

  const stopListening = credentials.onToken((next) => {
    if (next === null) {
      rejected = undefined
      return down(true)
    }
    if (next === token) return
    if (isReady) {
      token = next
      line.send({ type: 'auth', token: next, ref: AUTH_REF })
    } else retryNow()
  })
  platform.addEventListener?.('online', retryNow)

  return {
    add(subscription) {
      subscriptions.set(subscription.subscriber.topic, subscription)
      if (isReady) subscribe(subscription)
      else if (timers.retry === undefined) void connect()
    },
    remove,
    has: (topic) => subscriptions.has(topic),
    size: () => subscriptions.size,
    close() {
      isClosed = true
      disconnect()
      subscriptions.clear()
      stopListening()
      platform.removeEventListener?.('online', retryNow)
    },
  }
}
