/**
 * The same GET at a given rate, whether or not it is answered as fast. A time counts from the moment the request was
 * due: one that had to wait for a free connection, or for a late answer before it, has waited.
 */
import { percentile } from '../lib/statistics.ts'
import { createStopCheck } from './stopping.ts'

export interface ReadsInput {
  readonly url: string
  readonly token: string
  readonly headers?: Readonly<Record<string, string>>
  readonly perSecond: number
  readonly connections: number
  /** At most. */
  readonly seconds: number
  /** Seconds of one round. */
  readonly round: number
}

export interface ReadsReport {
  readonly requests: number
  /** Milliseconds, as are all below. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** The p99 of each full round, by when its requests were due, for a machine that is disturbed now and then. */
  readonly p99OfRounds: readonly number[]
}

const { url, token, headers, perSecond, connections, seconds, round } = (await Bun.stdin.json()) as ReadsInput
const init = { headers: { ...headers, authorization: `Bearer ${token}` } }
const start = performance.now()
const times: number[] = []
const rounds: number[][] = []
const due: number[] = []

const read = async (from: number): Promise<void> => {
  const response = await fetch(url, init)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${text}`)
  const time = performance.now() - from
  times.push(time)
  const index = Math.floor((from - start) / (round * 1_000))
  rounds[index] ??= []
  rounds[index].push(time)
}

let free = connections
const send = (): void => {
  while (free > 0) {
    const from = due.shift()
    if (from === undefined) return
    free--
    void read(from).then(() => {
      free++
      send()
    })
  }
}

const isRunning = createStopCheck(seconds)
const interval = 1_000 / perSecond
for (let next = start; isRunning(); ) {
  for (const now = performance.now(); next <= now; next += interval) due.push(next)
  send()
  await Bun.sleep(1)
}
while (free < connections || due.length > 0) await Bun.sleep(1)

const report: ReadsReport = {
  requests: times.length,
  p50: percentile(times, 50),
  p99: percentile(times, 99),
  max: percentile(times, 100),
  // The last one may have been cut short.
  p99OfRounds: (rounds.length > 1 ? rounds.slice(0, -1) : rounds).map((each) => percentile(each, 99)),
}
console.log(JSON.stringify(report))
