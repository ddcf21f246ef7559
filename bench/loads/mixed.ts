/**
 * Requests in turn, over and over: at a given rate, whether or not they are answered as fast, or each connection the
 * next as soon as it is answered. One that is due while no connection is free waits its turn.
 */
import { type HttpConnection, openHttpConnection } from '../lib/http-connection.ts'
import { percentile } from '../lib/statistics.ts'
import { createStopCheck } from './stopping.ts'

export interface MixedInput {
  readonly url: string
  /** Each whole, as it is sent. */
  readonly requests: readonly string[]
  /** Null for as many as are answered. */
  readonly perSecond: number | null
  readonly connections: number
  /** At most. What is due by then and was not sent is given up; what was sent is waited for. */
  readonly seconds: number
  /** Whether to tell how long each took. */
  readonly keepTimes: boolean
}

export interface MixedReport {
  /** Milliseconds of `Date.now()`, as is the next. */
  readonly startedAt: number
  /** When it sent the last. */
  readonly stoppedAt: number
  readonly due: number
  readonly sent: number
  /** With 200 or 201, until it stopped. */
  readonly succeeded: number
  /** With 429 or 503 and Retry-After, until it stopped. */
  readonly refused: number
  /** With 201, in all. */
  readonly created: number
  /** How much of one core this program had. */
  readonly busy: number
  /** Milliseconds, as are all below. */
  readonly slowestSinceSent: number
  readonly slowestSinceDue: number
  readonly p99SinceSent: number
  /** Since they were due, in the order they came; empty unless asked for. */
  readonly times: readonly { readonly dueAt: number; readonly took: number }[]
}

const SUCCESS = [200, 201]
const REFUSAL = [429, 503]
const MAX_OPENING_COUNT = 100

const { url, perSecond, connections, seconds, keepTimes, ...input } = (await Bun.stdin.json()) as MixedInput
const requests = input.requests.map((text) => Buffer.from(text))

const all: HttpConnection[] = []
const free: (() => void)[] = []
const sinceSent: number[] = []
const times: { dueAt: number; took: number }[] = []
const counts = { sent: 0, succeeded: 0, refused: 0, created: 0 }
let slowestSinceDue = 0
let startedAt = 0
let start = 0
let goOn = () => false
const fail = (why: string): never => {
  console.error(why)
  process.exit(1)
}

/** How many requests have come due. */
const dueBy = (now: number): number =>
  perSecond === null ? Number.POSITIVE_INFINITY : Math.floor(((now - start) * perSecond) / 1_000)
const dueTime = (index: number, now: number): number =>
  perSecond === null ? now : start + ((index + 1) * 1_000) / perSecond

const count = (status: number, head: string): void => {
  if (SUCCESS.includes(status)) {
    if (goOn()) counts.succeeded++
    if (status === 201) counts.created++
  } else if (REFUSAL.includes(status) && /\r\nretry-after: *[1-9]/i.test(head)) {
    if (goOn()) counts.refused++
  } else fail(`answered ${head}`)
}

const open = async (): Promise<void> => {
  let sentAt = 0
  let dueAt = 0
  const connection = await openHttpConnection({
    url,
    onEnd: fail,
    onAnswer(status, head) {
      const now = performance.now()
      sinceSent.push(now - sentAt)
      slowestSinceDue = Math.max(slowestSinceDue, now - dueAt)
      if (keepTimes) times.push({ dueAt: startedAt + dueAt - start, took: now - dueAt })
      count(status, head)
      if (goOn() && counts.sent < dueBy(now)) send()
      else free.push(send)
    },
  })
  const send = (): void => {
    sentAt = performance.now()
    dueAt = dueTime(counts.sent, sentAt)
    const request = requests[counts.sent++ % requests.length]
    if (request !== undefined) connection.send(request)
  }
  all.push(connection)
  free.push(send)
}

for (let left = connections; left > 0; left -= MAX_OPENING_COUNT) {
  await Promise.all(Array.from({ length: Math.min(left, MAX_OPENING_COUNT) }, open))
}
startedAt = Date.now()
start = performance.now()
const usedBefore = process.cpuUsage()
goOn = createStopCheck(seconds)
while (goOn()) {
  const due = dueBy(performance.now())
  while (counts.sent < due) {
    const next = free.shift()
    if (next === undefined) break
    next()
  }
  await Bun.sleep(1)
}
const stoppedAt = Date.now()
const { user, system } = process.cpuUsage(usedBefore)
const due = perSecond === null ? counts.sent : dueBy(performance.now())
while (free.length < connections) await Bun.sleep(1)

const report: MixedReport = {
  startedAt,
  stoppedAt,
  due,
  ...counts,
  busy: (user + system) / 1_000 / (stoppedAt - startedAt),
  slowestSinceSent: percentile(sinceSent, 100),
  slowestSinceDue,
  p99SinceSent: percentile(sinceSent, 99),
  times: times.toSorted((a, b) => a.dueAt - b.dueAt),
}
console.log(JSON.stringify(report))
for (const each of all) each.close()
