import type { Socket } from 'bun'
import { GREETINGS_COUNT } from './greetings.ts'

/** A WebSocket client that does little more than count: what it costs must not be what is measured. */
export interface RawSocket {
  /** Up to 125 bytes. */
  send(text: string): void
  /** Resolves once it has received so many texts in all. */
  received(texts: number): Promise<void>
  close(): void
}

export interface RawOptions {
  readonly url: string
  readonly token: string
  /** Called with how many texts came at once. */
  readonly onTexts?: (count: number) => void
  /** How many texts are read rather than counted; the first three unless told. */
  readonly keep?: number
  /** Called with each of those. */
  readonly onText?: (text: string) => void
  readonly onEnd?: (why: string) => void
  /** Leaves what comes in the system's buffers, and takes it so often, once it was greeted. */
  readonly everyMs?: number
}

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 }
const HEADER_END = '\r\n\r\n'

/** A frame of a client, masked with zeros. */
const frame = (opcode: number, payload: Uint8Array): Uint8Array =>
  new Uint8Array([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0, ...payload])

/** Where the payload of the frame at `at` begins and ends; null while its header is not whole. */
const frameAt = (bytes: Buffer, at: number): { readonly from: number; readonly to: number } | null => {
  if (bytes.length < at + 2) return null
  const short = (bytes[at + 1] ?? 0) & 0x7f
  const header = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < at + header) return null
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
  return { from: at + header, to: at + header + size }
}

interface Seen {
  /** Whether the payload matters; if not, it is not waited for. */
  readonly wants: (opcode: number) => boolean
  readonly frame: (opcode: number, payload: Buffer) => void
}

/** Finds the frames of a server in what comes piece by piece. */
const createReader = ({ wants, frame: seen }: Seen): ((piece: Buffer) => void) => {
  /** The beginning of a frame that is not whole. */
  let rest: Buffer = Buffer.alloc(0)
  /** Bytes still to come that nobody wants. */
  let skip = 0
  return (piece) => {
    if (skip >= piece.length) {
      skip -= piece.length
      return
    }
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    let at = skip
    skip = 0
    rest = Buffer.alloc(0)
    while (at < bytes.length) {
      const found = frameAt(bytes, at)
      const opcode = (bytes[at] ?? 0) & 0x0f
      if (found === null || (found.to > bytes.length && wants(opcode))) {
        rest = Buffer.from(bytes.subarray(at))
        return
      }
      seen(opcode, bytes.subarray(found.from, found.to))
      at = found.to
    }
    skip = at - bytes.length
  }
}

/** Connects, signed in by header. Rejects unless it is upgraded. */
export const openRawSocket = async (options: RawOptions): Promise<RawSocket> => {
  const { url, token, keep = 3, onTexts, onText, onEnd, everyMs } = options
  const { hostname, port, pathname } = new URL(url)
  const opened = Promise.withResolvers<void>()
  const waiting: { readonly texts: number; readonly done: () => void }[] = []
  let texts = 0
  let head: string | null = ''
  let closing = false
  let socket: Socket | null = null

  const read = createReader({
    wants: (opcode) => opcode !== OPCODE.text || texts < keep,
    frame(opcode, payload) {
      if (opcode === OPCODE.ping) socket?.write(frame(OPCODE.pong, payload))
      if (opcode === OPCODE.close) onEnd?.(`closed with ${payload.length < 2 ? 'no code' : payload.readUInt16BE()}`)
      if (opcode !== OPCODE.text) return
      if (texts++ < keep) onText?.(payload.toString())
    },
  })
  const take = (piece: Buffer): void => {
    const before = texts
    read(piece)
    if (texts > before) onTexts?.(texts - before)
    while (waiting[0] !== undefined && texts >= waiting[0].texts) waiting.shift()?.done()
    if (everyMs === undefined || texts < GREETINGS_COUNT) return
    socket?.pause()
    setTimeout(() => socket?.resume(), everyMs)
  }
  const ended = (why: string): void => {
    opened.reject(new Error(why))
    if (!closing) onEnd?.(why)
  }

  socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_, piece) {
        if (head === null) return take(piece)
        head += piece.toString('latin1')
        const end = head.indexOf(HEADER_END)
        if (end < 0) return
        const rest = Buffer.from(head.slice(end + HEADER_END.length), 'latin1')
        if (head.startsWith('HTTP/1.1 101 ')) opened.resolve()
        else opened.reject(new Error(head))
        head = null
        take(rest)
      },
      close: () => ended('the connection ended'),
      error: (_, error) => ended(error.message),
    },
  })
  const key = crypto.getRandomValues(new Uint8Array(16)).toBase64()
  socket.write(
    [
      `GET ${pathname} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
      `Authorization: Bearer ${token}`,
      HEADER_END.slice(2),
    ].join('\r\n'),
  )
  await opened.promise
  return {
    send: (text) => void socket.write(frame(OPCODE.text, Buffer.from(text))),
    received: (count) =>
      texts >= count ? Promise.resolve() : new Promise((done) => void waiting.push({ texts: count, done })),
    close() {
      closing = true
      socket.end()
    },
  }
}
