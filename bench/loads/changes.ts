/**
 * Changes at a given rate, and many sockets that hear of them. Of some sockets each event is read: it took the time from
 * `updated_at`, which is set before the change is committed, until here.
 */
import { GREETINGS } from '../lib/greetings.ts'
import { openRawSocket, type RawSocket } from '../lib/raw-socket.ts'
import { percentile } from '../lib/statistics.ts'
import { goOnFor } from './stopping.ts'

export interface ChangesInput {
  /** Of the socket. */
  readonly url: string
  /** One for each socket. */
  readonly tokens: readonly string[]
  readonly subscribe: string
  /** Changed in turn. */
  readonly items: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly perSecond: number
  /** At most. */
  readonly seconds: number
}

export interface ChangesReport {
  readonly changes: number
  readonly seconds: number
  /** Milliseconds from the change to its receipt, as are all below. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const AT_ONCE = 50
/** Every so manieth socket is read. */
const READ_EVERY = 20
/** The others leave it to the system to receive: here the load has one core, which a thousand readers would fill. */
const TAKE_EVERY_MS = 250

const { url, tokens, subscribe, items, headers, perSecond, seconds } = (await Bun.stdin.json()) as ChangesInput
const times: number[] = []
const fail = (why: string): void => {
  console.error(why)
  process.exit(1)
}
const onText = (text: string): void => {
  const { type, data } = JSON.parse(text)
  if (type === 'event') times.push(performance.timeOrigin + performance.now() - Date.parse(data.updated_at))
}

const join = async (token: string, index: number): Promise<RawSocket> => {
  const reading = index % READ_EVERY === 0 ? { keep: Number.POSITIVE_INFINITY, onText } : { everyMs: TAKE_EVERY_MS }
  const socket = await openRawSocket({ url, token, onEnd: fail, ...reading })
  await socket.received(1)
  socket.send(subscribe)
  await socket.received(GREETINGS)
  return socket
}
const sockets: RawSocket[] = []
for (let first = 0; first < tokens.length; first += AT_ONCE) {
  const some = tokens.slice(first, first + AT_ONCE).map((token, index) => join(token, first + index))
  sockets.push(...(await Promise.all(some)))
}

let done = 0
const change = async (number: number): Promise<void> => {
  const body = JSON.stringify({ title: `Oak table, restored ${number} times` })
  const response = await fetch(items[number % items.length] ?? '', { method: 'PATCH', headers, body })
  const answer = await response.text()
  if (!response.ok) fail(`a change was answered ${response.status}: ${answer}`)
  done++
}

const start = performance.now()
const goOn = goOnFor(seconds)
let made = 0
while (goOn()) {
  for (; made < ((performance.now() - start) / 1_000) * perSecond; made++) void change(made)
  await Bun.sleep(1)
}
const took = (performance.now() - start) / 1_000
while (done < made) await Bun.sleep(1)
await Promise.all(sockets.map((socket) => socket.received(GREETINGS + made)))
const report: ChangesReport = {
  changes: made,
  seconds: took,
  p50: percentile(times, 50),
  p99: percentile(times, 99),
  max: percentile(times, 100),
}
console.log(JSON.stringify(report))
process.exit(0)
