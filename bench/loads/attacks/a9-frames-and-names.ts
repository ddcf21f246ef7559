import { encodeFrame, OPCODE, openWire } from '../../../tests/support/wire.ts'
import type { Attack, Target } from './attack.ts'

const REFUSED_MS = 20
/** Of one user, under the default limit. */
const SOCKETS_COUNT = 20
const SUBSCRIPTIONS_COUNT = 98
const FRAMES_COUNT = 50_000

const frame = (fields: object) =>
  encodeFrame({ opcode: OPCODE.text, payload: new TextEncoder().encode(JSON.stringify(fields)) })

const PONGS = Buffer.concat(
  Array.from({ length: FRAMES_COUNT }, () => encodeFrame({ opcode: OPCODE.pong, payload: new Uint8Array() })),
)

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

const headersOf = ({ token }: Target) => ({ authorization: `Bearer ${token}`, 'content-type': 'application/json' })

let topics: readonly string[] = []

/** Holds a connection that has as many subscriptions as it may. */
const subscribeToAll = async ({ url, token }: Target, over: Promise<void>): Promise<void> => {
  await using wire = await openWire(url, { token, clientId: 'a9-subscriber' })
  await wire.received(1)
  for (const topic of topics) wire.send(frame({ type: 'subscribe', topic }))
  await Promise.race([wire.ended, over])
}

const rename = async (target: Target, name: string): Promise<void> => {
  const body = JSON.stringify({ name })
  const answer = await fetch(`${target.url}/api/v1/users/me`, { method: 'PATCH', headers: headersOf(target), body })
  await answer.body?.cancel()
  if (answer.status !== 200) await Bun.sleep(REFUSED_MS)
}

/** Nobody signs in: the frames before that count, too. */
const sendPongs = async ({ url }: Target): Promise<void> => {
  await using wire = await openWire(url, { clientId: 'a9-pongs' })
  wire.send(PONGS)
  await wire.ended
}

export const attack: Attack = {
  id: 'A9',
  about: 'a flood of empty PONG frames, and changes of a name beside 20 sockets of 98 subscriptions',
  async prepare(target) {
    const operations = Array.from({ length: SUBSCRIPTIONS_COUNT }, (_, n) => ({ op: 'create', title: `${n}` }))
    const body = JSON.stringify({ operations })
    const answer = await fetch(`${target.url}/api/v1/items/batch`, { method: 'POST', headers: headersOf(target), body })
    if (answer.status !== 200) throw new Error(`the items were answered ${answer.status}`)
    const { results } = (await answer.json()) as { readonly results: readonly { readonly id: number }[] }
    topics = results.map(({ id }) => `items/${id}`)
  },
  async client(target, index, signal) {
    const over = aborted(signal)
    for (let n = 0; !signal.aborted; n++) {
      try {
        if (index < SOCKETS_COUNT) await subscribeToAll(target, over)
        else if (index % 2 === 0) await Promise.race([sendPongs(target), over])
        else await rename(target, `name ${index} ${n}`)
      } catch {
        await Bun.sleep(REFUSED_MS)
      }
    }
  },
}
