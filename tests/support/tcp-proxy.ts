import { connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a server, and can be a network that fails. */
export interface TcpProxy extends AsyncDisposable {
  readonly url: string
  /** How much came from the server and was passed on. */
  receivedBytes(): number
  /** Ends every connection, and lets no other in. */
  cut(): void
  /** Lets no other in; resolves when the first was turned away. */
  refuse(): Promise<void>
  /** Nothing arrives any more, and nobody is told. */
  freeze(): void
  /** Lets new connections in; those that it froze stay as they are. */
  mend(): void
}

export const startTcpProxy = async (target: string): Promise<TcpProxy> => {
  const { hostname, port } = new URL(target)
  const open = new Set<Socket>()
  let whole = true
  let turnedAway = () => {}
  let receivedBytes = 0
  const server = createServer((near) => {
    if (!whole) {
      near.on('close', () => turnedAway())
      near.destroy()
      return
    }
    const far = connect(Number(port), hostname)
    far.on('data', ({ byteLength }: Buffer) => {
      receivedBytes += byteLength
    })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        open.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const cut = () => {
    whole = false
    for (const socket of open) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    receivedBytes: () => receivedBytes,
    cut,
    refuse() {
      whole = false
      return new Promise((resolve) => {
        turnedAway = resolve
      })
    },
    freeze() {
      for (const socket of open) socket.unpipe().pause()
    },
    mend() {
      whole = true
    },
    async [Symbol.asyncDispose]() {
      cut()
      await new Promise((closed) => server.close(closed))
    },
  }
}
