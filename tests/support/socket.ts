import { setDefaultTimeout } from 'bun:test'

setDefaultTimeout(30_000)

export interface Frame {
  readonly type: string
  readonly ref?: string
  readonly topic?: string
  readonly cursor?: string
  readonly gap?: boolean
  readonly event?: string
  readonly code?: string
  readonly detail?: string
  readonly user_id?: number
  readonly client_id?: string
  readonly expires_at?: string
  readonly data?: { readonly id: number; readonly title: string; readonly owner_id: number; readonly version: number }
}

export interface TestSocket extends AsyncDisposable {
  /** Every JSON frame that came, in order. */
  readonly frames: readonly Frame[]
  readonly events: () => readonly Frame[]
  /** Everything that came, as it came. */
  readonly texts: readonly string[]
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  send(frame: object | string | Uint8Array<ArrayBuffer>): void
  /** The first frame with these members, or the one that is to come. Rejects when the socket closes instead. */
  sees(wanted: Partial<Frame>): Promise<Frame>
  /** Resolves once `test` holds of what came. Rejects when the socket closes instead. */
  until(test: () => boolean): Promise<void>
  /** Subscribes and answers the frame that says so; after 0 from the beginning of the log. */
  subscribe(topic: string, after?: string | 0): Promise<Frame>
  /** Answers once the server has handled everything sent before, and all it sent before has come. */
  settled(): Promise<void>
  close(): void
}

/** The number of the event that a cursor stands behind; -1 without one. */
export const positionOf = (cursor: string | undefined): number => Number(cursor?.split('.')[1] ?? -1)

/** The cursor before another one. */
export const before = (cursor: string | undefined): string => `${cursor?.split('.')[0]}.${positionOf(cursor) - 1}`

interface Options {
  readonly token?: string
  readonly clientId?: string
  readonly headers?: Readonly<Record<string, string>>
}

const fits = (frame: Frame, wanted: Partial<Frame>): boolean =>
  Object.entries(wanted).every(([name, value]) => frame[name as keyof Frame] === value)

const isObject = (text: string): boolean => text.startsWith('{')

let pings = 0

/** Opens a socket; with a token it waits until it is signed in. Rejects when the upgrade is refused. */
export const openSocket = async (url: string, options: Options = {}): Promise<TestSocket> => {
  const { token, clientId = 'client', headers = {} } = options
  const address = `${url.replace('http', 'ws')}/ws/${clientId}`
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const socket = new WebSocket(address, { headers: { ...authorization, ...headers } })
  const frames: Frame[] = []
  const texts: string[] = []
  const watchers = new Set<() => void>()
  const closed = Promise.withResolvers<{ code: number; reason: string }>()
  const opened = Promise.withResolvers<void>()
  let open = true
  const look = () => {
    for (const watcher of [...watchers]) watcher()
  }
  socket.onmessage = ({ data }) => {
    texts.push(data)
    if (isObject(data)) frames.push(JSON.parse(data))
    look()
  }
  socket.onopen = () => opened.resolve()
  socket.onclose = ({ code, reason }) => {
    open = false
    closed.resolve({ code, reason })
    opened.reject(new Error(`closed with ${code} ${reason}`))
    look()
  }
  await opened.promise

  const until = (test: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const watcher = () => {
        if (test()) resolve()
        else if (open) return
        else reject(new Error(`the socket closed; it saw ${JSON.stringify(frames.slice(-5))}`))
        watchers.delete(watcher)
      }
      watchers.add(watcher)
      watcher()
    })
  const sees = async (wanted: Partial<Frame>): Promise<Frame> => {
    let found: Frame | undefined
    await until(() => {
      found = frames.find((frame) => fits(frame, wanted))
      return found !== undefined
    })
    if (found === undefined) throw new Error('no such frame')
    return found
  }
  const send = (frame: object | string | Uint8Array<ArrayBuffer>) =>
    socket.send(typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame))

  if (token !== undefined) await sees({ type: 'ready' })
  return {
    frames,
    texts,
    events: () => frames.filter(({ type }) => type === 'event'),
    closed: closed.promise,
    send,
    sees,
    until,
    subscribe(topic, after) {
      const ref = `subscribe-${++pings}`
      const epoch = frames.find(({ type }) => type === 'ready')?.cursor?.split('.')[0]
      const from = after === 0 ? `${epoch}.0` : after
      send({ type: 'subscribe', topic, ref, ...(from === undefined ? {} : { after: from }) })
      return sees({ type: 'subscribed', ref })
    },
    async settled() {
      const ref = `ping-${++pings}`
      send({ type: 'ping', ref })
      await sees({ type: 'pong', ref })
    },
    close: () => socket.close(),
    async [Symbol.asyncDispose]() {
      socket.close()
      await closed.promise
    },
  }
}
