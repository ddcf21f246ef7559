/**
 * Changes at a given rate, and many sockets that hear of them. Of some sockets each event is read: it took the time from
 * `updated_at`, which is set before the change is committed, until here.
 */
import { GREETINGS_COUNT } from '../lib/greetings.ts'
import { openRawSocket, type RawSocket } from '../lib/raw-socket.ts'
import { percentile } from '../lib/statistics.ts'
import { createStopCheck } from './stopping.ts'

/** An item, and who changes it. */
export interface Target {
  readonly url: string
  readonly token: string
  /** Which socket alone hears of it; all of them, if none is named. */
  readonly socket?: number
}

export interface ChangesInput {
  /** Of the socket. */
  readonly url: string
  /** One for each socket. */
  readonly tokens: readonly string[]
  readonly subscribe: string
  /** Changed in turn. */
  readonly targets: readonly Target[]
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

const MAX_CONCURRENT_COUNT = 50
/** After the last change. */
const MAX_DELAY_MS = 30_000
/** Of sockets that all hear the same, every so manieth is read. */
const READ_EVERY = 20
/** The others leave it to the system to receive: here the load has one core, which a thousand readers would fill. */
const TAKE_EVERY_MS = 250

const { url, tokens, subscribe, targets, perSecond, seconds } = (await Bun.stdin.json()) as ChangesInput
const times: number[] = []
const fail = (why: string): void => {
  console.error(why)
  process.exit(1)
}
const onText = (text: string): void => {
  const { type, data } = JSON.parse(text)
  if (type === 'event') times.push(performance.timeOrigin + performance.now() - Date.parse(data.updated_at))
}

const alone = targets.every((target) => target.socket !== undefined)
const join = async (token: string, index: number): Promise<RawSocket> => {
  const reading =
    alone || index % READ_EVERY === 0 ? { keep: Number.POSITIVE_INFINITY, onText } : { everyMs: TAKE_EVERY_MS }
  const socket = await openRawSocket({ url, token, onEnd: fail, ...reading })
  await socket.received(1)
  socket.send(subscribe)
  await socket.received(GREETINGS_COUNT)
  return socket
}
const sockets: RawSocket[] = []
for (let first = 0; first < tokens.length; first += MAX_CONCURRENT_COUNT) {
  const some = tokens.slice(first, first + MAX_CONCURRENT_COUNT).map((token, index) => join(token, first + index))
  sockets.push(...(await Promise.all(some)))
}

const due = sockets.map(() => GREETINGS_COUNT)
let done = 0
const change = async (number: number): Promise<void> => {
  const target = targets[number % targets.length]
  if (target === undefined) throw new Error('nothing to change')
  for (const index of target.socket === undefined ? due.keys() : [target.socket]) due[index] = (due[index] ?? 0) + 1
  const headers = { authorization: `Bearer ${target.token}`, 'content-type': 'application/json' }
  // An item that already has this title from another run would not change, and nobody would hear of it.
  const body = JSON.stringify({ title: `Oak table, restored ${number} times since ${startedAt}` })
  const response = await fetch(target.url, { method: 'PATCH', headers, body })
  const answer = await response.text()
  if (!response.ok) fail(`a change was answered ${response.status}: ${answer}`)
  done++
}

const startedAt = Date.now()
const start = performance.now()
const isRunning = createStopCheck(seconds)
let made = 0
while (isRunning()) {
  for (; made < ((performance.now() - start) / 1_000) * perSecond; made++) void change(made)
  await Bun.sleep(1)
}
const took = (performance.now() - start) / 1_000
setTimeout(() => fail(`not every change was heard of within ${MAX_DELAY_MS / 1_000} s`), MAX_DELAY_MS)
while (done < made) await Bun.sleep(1)
await Promise.all(sockets.map((socket, index) => socket.received(due[index] ?? 0)))
const report: ChangesReport = {
  changes: made,
  seconds: took,
  p50: percentile(times, 50),
  p99: percentile(times, 99),
  max: percentile(times, 100),
}
console.log(JSON.stringify(report))
process.exit(0)
