/**
 * What a durable create and a sign-in contain at least: a write that is synced to this disk, and one verified password.
 * Measured once, after the rounds.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { percentile } from '../lib/statistics.ts'

export interface Floors {
  /** Milliseconds of a write of one page and its sync: p50. */
  readonly syncP50: number
  readonly syncP99: number
  /** `Bun.password.verify` with Skep's parameters, one after the other. */
  readonly verifiesPerSecond: number
}

const SYNCS_COUNT = 300
const VERIFIES_COUNT = 20
const PAGE_BYTES = 4_096

const path = Bun.argv[2] ?? 'floor.bin'
const file = openSync(path, 'w')
// As in a write-ahead log that begins again, pages are overwritten: a file that grows has more to sync.
writeSync(file, new Uint8Array(SYNCS_COUNT * PAGE_BYTES))
fdatasyncSync(file)
const page = new Uint8Array(PAGE_BYTES).fill(1)
const times: number[] = []
for (let n = 0; n < SYNCS_COUNT; n++) {
  const from = performance.now()
  writeSync(file, page, 0, PAGE_BYTES, n * PAGE_BYTES)
  fdatasyncSync(file)
  times.push(performance.now() - from)
}
closeSync(file)
rmSync(path)

const password = 'correct horse battery'
const hash = await Bun.password.hash(password, { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 })
const from = performance.now()
for (let n = 0; n < VERIFIES_COUNT; n++) await Bun.password.verify(password, hash)
const verifiesPerSecond = VERIFIES_COUNT / ((performance.now() - from) / 1_000)

const floors: Floors = {
  syncP50: percentile(times, 50),
  syncP99: percentile(times, 99),
  verifiesPerSecond,
}
console.log(JSON.stringify(floors))
