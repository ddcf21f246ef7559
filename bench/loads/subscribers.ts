/**
 * Many sockets that receive the same, and changes that are made as fast as they are received: the next request goes out when
 * all have what came before the last one, so that the server always has work and nobody's line grows.
 */
import { GREETINGS_COUNT } from '../lib/greetings.ts'
import { openRawSocket } from '../lib/raw-socket.ts'
import { createStopCheck } from './stopping.ts'

export interface SubscribersInput {
  /** Of the socket. */
  readonly url: string
  /** One for each socket. */
  readonly tokens: readonly string[]
  /** What each socket sends when it is greeted. It hears changes from the second answer on. */
  readonly subscribe: string
  /** The request that makes changes. */
  readonly change: {
    readonly url: string
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
    /** How many texts each socket hears of it. */
    readonly texts: number
  }
  readonly seconds: number
}

export interface SubscribersReport {
  /** To all sockets together. */
  readonly deliveries: number
  readonly seconds: number
}

const MAX_CONCURRENT_COUNT = 50

const { url, tokens, subscribe, change, seconds } = (await Bun.stdin.json()) as SubscribersInput
let received = 0
let awaited = { texts: 0, done: () => {} }
const fail = (why: string): void => {
  console.error(why)
  process.exit(1)
}

const join = async (token: string): Promise<void> => {
  const onTexts = (count: number) => {
    received += count
    if (received >= awaited.texts) awaited.done()
  }
  const socket = await openRawSocket({ url, token, onTexts, onEnd: fail })
  await socket.received(1)
  socket.send(subscribe)
  await socket.received(GREETINGS_COUNT)
}
for (let first = 0; first < tokens.length; first += MAX_CONCURRENT_COUNT) {
  await Promise.all(tokens.slice(first, first + MAX_CONCURRENT_COUNT).map(join))
}

const waitForTexts = (texts: number): Promise<void> => {
  const { promise, resolve: done } = Promise.withResolvers<void>()
  awaited = { texts, done }
  if (received >= texts) done()
  return promise
}

const { headers, method, body, texts } = change
const each = texts * tokens.length
const greeted = received
const from = performance.now()
const isRunning = createStopCheck(seconds)
let made = 0
while (isRunning()) {
  const response = await fetch(change.url, { method, headers, body: body === '' ? null : body })
  const answer = await response.text()
  if (!response.ok) fail(`${change.url} answered ${response.status}: ${answer}`)
  await waitForTexts(greeted + each * made)
  made++
}
await waitForTexts(greeted + each * made)
if (received !== greeted + each * made) fail(`${received - greeted} texts came instead of ${each * made}`)
const report: SubscribersReport = { deliveries: each * made, seconds: (performance.now() - from) / 1_000 }
console.log(JSON.stringify(report))
process.exit(0)
