import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** Of a header, by its name in lower case; null without it. */
  header(name: string): string | null
}

export interface Connection extends Disposable {
  send(text: string): void
  /** Reads nothing more, so that what comes piles up. */
  pause(): void
  /** Resolves once it is closed, from either side. */
  readonly closed: Promise<void>
  /** The next answer. Null when the connection was closed instead. */
  answer(): Promise<RawAnswer | null>
  /** Sends a GET on this connection and waits for its answer. Null when the other side has closed it. */
  get(path: string): Promise<number | null>
  /** The status of the next answer. Null when the connection was closed instead. */
  status(): Promise<number | null>
}

const HEAD_END = '\r\n\r\n'

/** One TCP connection, kept open between requests, on which half a request can be sent. Reads answers that have a length. */
export const openConnection = async (url: string): Promise<Connection> => {
  const { hostname, port } = new URL(url)
  let received = ''
  let closed = false
  const gone = Promise.withResolvers<void>()
  let onData = () => {}
  const socket = connect(Number(port), hostname)
  socket.setEncoding('latin1')
  socket.on('data', (text) => {
    received += text
    onData()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
    gone.resolve()
    onData()
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })

  const takeAnswer = (): RawAnswer | null => {
    const head = received.indexOf(HEAD_END)
    if (head === -1) return null
    const length = Number(/content-length: (\d+)/i.exec(received.slice(0, head))?.[1] ?? 0)
    const end = head + HEAD_END.length + length
    if (received.length < end) return null
    const lines = received.slice(0, head).split('\r\n')
    const headers = new Headers(
      lines.slice(1).map((line): [string, string] => [line.split(':', 1)[0] ?? '', line.replace(/^[^:]*: */, '')]),
    )
    received = received.slice(end)
    return {
      status: Number(lines[0]?.slice('HTTP/1.1 '.length, 'HTTP/1.1 '.length + 3)),
      header: (name) => headers.get(name),
    }
  }
  const answer = async (): Promise<RawAnswer | null> => {
    for (;;) {
      const answered = takeAnswer()
      if (answered !== null || closed) return answered
      await new Promise<void>((resolve) => {
        onData = resolve
      })
    }
  }
  const status = async () => (await answer())?.status ?? null
  const send = (text: string) => void socket.write(text, 'latin1')
  return {
    send,
    pause: () => void socket.pause(),
    closed: gone.promise,
    answer,
    status,
    get(path) {
      send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      return status()
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
}
