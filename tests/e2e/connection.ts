import { connect } from 'node:net'

export interface Connection extends Disposable {
  send(text: string): void
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
  let wake = () => {}
  const socket = connect(Number(port), hostname)
  socket.setEncoding('latin1')
  socket.on('data', (text) => {
    received += text
    wake()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
    wake()
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })

  const takeAnswer = (): number | null => {
    const head = received.indexOf(HEAD_END)
    if (head === -1) return null
    const length = Number(/content-length: (\d+)/i.exec(received.slice(0, head))?.[1] ?? 0)
    const end = head + HEAD_END.length + length
    if (received.length < end) return null
    const status = Number(received.slice('HTTP/1.1 '.length, 'HTTP/1.1 '.length + 3))
    received = received.slice(end)
    return status
  }
  const status = async (): Promise<number | null> => {
    for (;;) {
      const answered = takeAnswer()
      if (answered !== null || closed) return answered
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const send = (text: string) => void socket.write(text, 'latin1')
  return {
    send,
    status,
    get(path) {
      send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      return status()
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
}
