/**
 * npm `ws`, driven by lines of JSON on standard input; what it sees goes to standard output, a line each. It runs on
 * Node: Bun has a `ws` of its own and would use that.
 */
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'

const tell = (saw, rest = {}) => process.stdout.write(`${JSON.stringify({ saw, ...rest })}\n`)
let socket

const open = ({ url, headers }) => {
  socket = new WebSocket(url, { headers, handshakeTimeout: 10_000 })
  socket.on('open', () => tell('open'))
  socket.on('message', (data, isBinary) =>
    isBinary ? tell('binary', { size: data.length }) : tell('text', { text: data.toString() }),
  )
  socket.on('pong', (data) => tell('pong', { text: data.toString() }))
  socket.on('unexpected-response', (_, response) => tell('refused', { status: response.statusCode }))
  socket.on('error', (error) => console.error(error.message))
  socket.on('close', (code, reason) => tell('close', { code, reason: reason.toString() }))
}

const ACTS = {
  open,
  text: ({ text }) => socket.send(text),
  fragments({ parts }) {
    for (const [index, part] of parts.entries()) socket.send(part, { fin: index === parts.length - 1 })
  },
  binary: ({ size }) => socket.send(Buffer.alloc(size)),
  invalid: () => socket.send(Buffer.from([0x22, 0xc3, 0x28, 0x22]), { binary: false }),
  ping: ({ text }) => socket.ping(text),
  flood({ text, times }) {
    for (let sent = 0; sent < times; sent++) socket.send(text)
  },
  close: () => socket.close(1000),
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { act, ...rest } = JSON.parse(line)
    ACTS[act](rest)
  })
  .on('close', () => process.exit())
