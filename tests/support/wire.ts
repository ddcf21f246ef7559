import { connect } from 'node:net'

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** One frame as it is to go over the wire (RFC 6455 section 5.2); what is not said is as it should be. */
export interface WireFrame {
  readonly opcode: number
  readonly payload: Uint8Array
  readonly fin?: boolean
  /** The three reserved bits. */
  readonly reserved?: number
  /** Null sends it without one, as a server would. */
  readonly mask?: Uint8Array | null
  /** What the header says, in place of the truth. */
  readonly length?: bigint
}

const lengthBytes = (length: bigint, masked: number): Uint8Array => {
  if (length < 126n) return new Uint8Array([masked | Number(length)])
  const bytes = Buffer.alloc(length < 65_536n ? 3 : 9)
  bytes[0] = masked | (length < 65_536n ? 126 : 127)
  if (length < 65_536n) bytes.writeUInt16BE(Number(length), 1)
  else bytes.writeBigUInt64BE(length, 1)
  return bytes
}

/** The bytes of a client's frame. */
export const encodeFrame = (frame: WireFrame): Uint8Array => {
  const { opcode, payload, fin = true, reserved = 0, mask = new Uint8Array([1, 2, 3, 4]), length } = frame
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  const sized = lengthBytes(length ?? BigInt(payload.length), mask === null ? 0 : 0x80)
  const masked = mask === null ? payload : payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))
  return Buffer.concat([Buffer.from([first]), sized, mask ?? new Uint8Array(), masked])
}

export interface Wire extends AsyncDisposable {
  /** Every text that came. */
  readonly texts: readonly string[]
  send(bytes: Uint8Array): void
  /** Resolves once so many texts have come. Rejects when the connection ends before. */
  received(count: number): Promise<void>
  /** Resolves once `test` holds of what came. Rejects when the connection ends before. */
  until(test: () => boolean): Promise<void>
  /** Reads nothing until {@link Wire.resume}. */
  pause(): void
  resume(): void
  /** Sends nothing more. */
  end(): void
  /** Resolves with the code of the server's close frame, null without one, once the connection is gone. */
  readonly ended: Promise<number | null>
}

interface Options {
  readonly token?: string
  readonly clientId?: string
}

const HEAD_END = '\r\n\r\n'

/** Opens a WebSocket over which bytes go as they are. Rejects when the upgrade is refused. */
export const openWire = async (url: string, { token, clientId = 'wire' }: Options = {}): Promise<Wire> => {
  const { hostname, port } = new URL(url)
  const texts: string[] = []
  const opened = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<number | null>()
  const watchers = new Set<() => void>()
  let open = true
  let head = true
  let code: number | null = null
  let rest = Buffer.alloc(0)

  /** Takes one frame of the server, which never masks; false while it is not whole. */
  const take = (): boolean => {
    const short = (rest[1] ?? 0) & 0x7f
    const from = short < 126 ? 2 : short === 126 ? 4 : 10
    if (rest.length < from) return false
    const size = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
    if (rest.length < from + size) return false
    const opcode = (rest[0] ?? 0) & 0x0f
    const payload = rest.subarray(from, from + size)
    rest = rest.subarray(from + size)
    if (opcode === OPCODE.text) texts.push(payload.toString())
    if (opcode === OPCODE.close && size >= 2) code = payload.readUInt16BE()
    return true
  }
  const look = () => {
    for (const watcher of [...watchers]) watcher()
  }

  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  socket.on('data', (piece: Buffer) => {
    rest = Buffer.concat([rest, piece])
    if (head) {
      const end = rest.indexOf(HEAD_END)
      if (end < 0) return
      if (rest.toString('latin1', 0, 12) === 'HTTP/1.1 101') opened.resolve()
      else opened.reject(new Error(rest.toString()))
      head = false
      rest = rest.subarray(end + HEAD_END.length)
    }
    while (take());
    look()
  })
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  socket.on('close', () => {
    open = false
    opened.reject(new Error('the connection ended'))
    ended.resolve(code)
    look()
  })
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
  socket.write(
    `GET /ws/${clientId} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${authorization}\r\n`,
  )
  await opened.promise
  const until = (test: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const watcher = () => {
        if (test()) resolve()
        else if (open) return
        else reject(new Error(`the connection ended with ${code} after ${texts.length} texts`))
        watchers.delete(watcher)
      }
      watchers.add(watcher)
      watcher()
    })
  return {
    texts,
    send: (bytes) => void socket.write(bytes),
    received: (count) => until(() => texts.length >= count),
    until,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      socket.destroy()
      await ended.promise
    },
  }
}
