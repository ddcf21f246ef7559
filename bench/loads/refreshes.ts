/** Chains of refresh grants: each session exchanges its token for the next, over and over. */
import { percentile } from '../lib/statistics.ts'
import { createStopCheck } from './stopping.ts'

export interface RefreshesInput {
  readonly url: string
  /** One of each session. */
  readonly tokens: readonly string[]
  readonly warmupSeconds: number
  readonly rounds: number
  /** Of one round. */
  readonly seconds: number
}

export interface RefreshesReport {
  /** Of each round. */
  readonly perSecond: readonly number[]
  readonly requests: number
  /** Milliseconds, as is the next. */
  readonly p50: number
  readonly p99: number
}

const { url, tokens, warmupSeconds, rounds, seconds } = (await Bun.stdin.json()) as RefreshesInput
let times: number[] = []

const refresh = async (token: string): Promise<string> => {
  const from = performance.now()
  const response = await fetch(`${url}/api/v1/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `grant_type=refresh_token&refresh_token=${token}`,
  })
  if (response.status !== 200) throw new Error(`a refresh was answered ${response.status}: ${await response.text()}`)
  const pair = (await response.json()) as { readonly refresh_token: string }
  times.push(performance.now() - from)
  if (pair.refresh_token === token) throw new Error('a token was exchanged for itself')
  return pair.refresh_token
}

const isRunning = createStopCheck(warmupSeconds + rounds * seconds)
const chains = Promise.all(
  tokens.map(async (first) => {
    for (let token = first; isRunning(); ) token = await refresh(token)
  }),
)
await Bun.sleep(warmupSeconds * 1_000)
times = []
const perSecond: number[] = []
for (let round = 1; round <= rounds; round++) {
  const [before, from] = [times.length, performance.now()]
  await Bun.sleep(seconds * 1_000)
  perSecond.push((times.length - before) / ((performance.now() - from) / 1_000))
}
await chains
const [p50, p99] = [percentile(times, 50), percentile(times, 99)]
const report: RefreshesReport = { perSecond, requests: times.length, p50, p99 }
console.log(JSON.stringify(report))
