/** One connection of an HTTP client that does little more than count: what it costs must not be what is measured. */
export interface HttpConnection {
  /** A whole request. Not before the one sent before was answered. */
  send(request: Uint8Array): void
  close(): void
}

export interface HttpOptions {
  readonly url: string
  /** Called once the whole answer has come. `head` is all of it but the body. */
  readonly onAnswer: (status: number, head: string) => void
  /** Called when the other side ends it, or does not speak HTTP with lengths. */
  readonly onEnd: (why: string) => void
}

const HEAD_END = '\r\n\r\n'
const STATUS_AT = 'HTTP/1.1 '.length

/** Connects. Rejects when nobody listens. */
export const openHttpConnection = async ({ url, onAnswer, onEnd }: HttpOptions): Promise<HttpConnection> => {
  const { hostname, port } = new URL(url)
  /** The beginning of a head that is not whole. */
  let begun: Buffer = Buffer.alloc(0)
  let head: string | null = null
  /** Bytes of the body still to come. */
  let left = 0
  let closing = false

  /** Takes the head of an answer, if it is whole; answers how much of the body came with it. */
  const takeHead = (piece: Buffer): number => {
    const bytes = begun.length === 0 ? piece : Buffer.concat([begun, piece])
    const end = bytes.indexOf(HEAD_END)
    begun = end === -1 ? Buffer.from(bytes) : Buffer.alloc(0)
    if (end === -1) return 0
    head = bytes.toString('latin1', 0, end)
    left = Number(/content-length: *(\d+)/i.exec(head)?.[1])
    return bytes.length - end - HEAD_END.length
  }
  const take = (piece: Buffer): void => {
    const came = head === null ? takeHead(piece) : piece.length
    left -= came
    if (head === null || left > 0) return
    const whole = head
    head = null
    if (left === 0) onAnswer(Number(whole.slice(STATUS_AT, STATUS_AT + 3)), whole)
    else onEnd(`more than an answer, or one without a length: ${whole}`)
  }
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_, piece) => take(piece),
      close() {
        if (!closing) onEnd('the connection ended')
      },
      error: (_, error) => onEnd(error.message),
    },
  })
  return {
    send(request) {
      if (socket.write(request) !== request.length) onEnd('a request did not go out whole')
    },
    close() {
      closing = true
      socket.end()
    },
  }
}
