import { encodeFrame, OPCODE, openWire, type Wire } from '../../../tests/support/wire.ts'
import type { Attack, Target } from './attack.ts'

const REFUSED_MS = 20
/** As many pairs as one connection may send in {@link WINDOW_MS}. */
const PAIRS_COUNT = 48
const WINDOW_MS = 10_000
const BATCHES_COUNT = 3
const ITEMS_COUNT = 20

const frame = (fields: object) =>
  encodeFrame({ opcode: OPCODE.text, payload: new TextEncoder().encode(JSON.stringify(fields)) })

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

const flood = (wire: Wire): void => {
  const epoch = /"cursor":"([0-9a-z]+)\./.exec(wire.texts[0] ?? '')?.[1]
  const subscribe = frame({ type: 'subscribe', topic: 'items', after: `${epoch}.0` })
  const unsubscribe = frame({ type: 'unsubscribe', topic: 'items' })
  for (let n = 0; n < PAIRS_COUNT; n++) {
    wire.send(subscribe)
    wire.send(unsubscribe)
  }
  wire.send(subscribe)
}

const fill = async ({ url, token }: Target): Promise<void> => {
  const item = { op: 'create', title: 'large', description: '€'.repeat(10_000), data: { filling: 'x'.repeat(16_000) } }
  const body = JSON.stringify({ operations: Array.from({ length: ITEMS_COUNT }, () => item) })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  for (let n = 0; n < BATCHES_COUNT; n++) {
    const answer = await fetch(`${url}/api/v1/items/batch`, { method: 'POST', headers, body })
    if (answer.status !== 200) throw new Error(`filling was answered ${answer.status}`)
    await answer.body?.cancel()
  }
}

export const attack: Attack = {
  id: 'A2',
  about: 'sockets that read nothing and begin and end replays of large events as often as they may',
  prepare: fill,
  async client({ url, token }, index, signal) {
    const over = aborted(signal)
    while (!signal.aborted) {
      try {
        await using wire = await openWire(url, { token, clientId: `a2-${index}` })
        await wire.received(1)
        wire.pause()
        while (!signal.aborted) {
          flood(wire)
          const ended = await Promise.race([wire.ended.then(() => true), over, Bun.sleep(WINDOW_MS + 100)])
          if (ended === true) break
        }
      } catch {
        await Bun.sleep(REFUSED_MS)
      }
    }
  },
}
