/** Keeps a number of sign-ins in flight: each that is answered is followed by another. */
import { percentile } from '../lib/statistics.ts'
import { createStopCheck } from './stopping.ts'

export interface SignInsInput {
  readonly url: string
  readonly username: string
  readonly password: string
  readonly inFlight: number
  /** At most. */
  readonly seconds: number
}

export interface SignInsReport {
  readonly signedIn: number
  /** Answered 503 with Retry-After. */
  readonly refused: number
  readonly seconds: number
  /** Milliseconds until signed in. */
  readonly p50: number
}

const { url, username, password, inFlight, seconds } = (await Bun.stdin.json()) as SignInsInput
const body = new URLSearchParams({ username, password })
const times: number[] = []
let refused = 0

const signIn = async (): Promise<void> => {
  const from = performance.now()
  const response = await fetch(`${url}/api/v1/auth/token`, { method: 'POST', body })
  const text = await response.text()
  if (response.status === 503 && response.headers.has('retry-after')) refused++
  else if (response.status !== 200) throw new Error(`a sign-in was answered ${response.status}: ${text}`)
  else times.push(performance.now() - from)
}

const isRunning = createStopCheck(seconds)
const start = performance.now()
const one = async (): Promise<void> => {
  while (isRunning()) await signIn()
}
const all = Promise.all(Array.from({ length: inFlight }, one))
while (isRunning()) await Bun.sleep(10)
const [signedIn, took] = [times.length, performance.now() - start]
const report: SignInsReport = { signedIn, refused, seconds: took / 1_000, p50: percentile(times, 50) }
// Those still in flight must be answered well too.
await all
console.log(JSON.stringify(report))
