/** An event as it came. */
export interface ReceivedEvent {
  readonly cursor: string
  /** Its number. */
  readonly position: number
  readonly event: string
  readonly id: number
  readonly version: number
  readonly ownerId: number
}

export interface Subscriber {
  readonly closed: Promise<number>
  /** Resolves once the server has answered everything sent before. Rejects when the socket closes first. */
  settled(): Promise<void>
  close(): void
}

interface Options {
  readonly url: string
  readonly token: string
  readonly topic: string
  /** Null for the beginning of the log. */
  readonly after: string | null
  onEvent(received: ReceivedEvent): void
  /** Something came that must not. */
  complain(what: string): void
}

let sockets = 0

const partsOf = (cursor: string) => cursor.split('.')

/** Follows one topic from a cursor on. Rejects when it cannot be opened; resolves once it is subscribed. */
export const subscribe = async ({ url, token, topic, after, onEvent, complain }: Options): Promise<Subscriber> => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/load-${++sockets}`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const closed = Promise.withResolvers<number>()
  const subscribed = Promise.withResolvers<void>()
  const pongs = new Map<string, () => void>()
  let pings = 0
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data)
    if (frame.type === 'event') {
      const { id, version = 0, owner_id = 0 } = frame.data
      const position = Number(partsOf(frame.cursor)[1])
      onEvent({ cursor: frame.cursor, position, event: frame.event, id, version, ownerId: owner_id })
    } else if (frame.type === 'ready') {
      const from = after ?? `${partsOf(frame.cursor)[0]}.0`
      socket.send(JSON.stringify({ type: 'subscribe', topic, after: from }))
    } else if (frame.type === 'subscribed') {
      if (frame.gap) complain(`a subscription to ${topic} after ${after} has a gap`)
      subscribed.resolve()
    } else if (frame.type === 'pong') pongs.get(frame.ref)?.()
    else if (frame.code === 'unavailable') socket.close()
    else complain(`a socket was answered ${data}`)
  }
  socket.onclose = ({ code }) => {
    closed.resolve(code)
    subscribed.reject(new Error(`closed with ${code}`))
  }
  await subscribed.promise
  return {
    closed: closed.promise,
    async settled() {
      const ref = `ping-${++pings}`
      const pong = new Promise<void>((resolve) => pongs.set(ref, resolve))
      socket.send(JSON.stringify({ type: 'ping', ref }))
      const lost = closed.promise.then((code) => {
        throw new Error(`closed with ${code}`)
      })
      await Promise.race([pong, lost])
    },
    close: () => socket.close(),
  }
}
