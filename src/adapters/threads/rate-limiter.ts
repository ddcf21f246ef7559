import type { RateLimiter } from '../../application/ports/security.ts'
import type { Clock } from '../../application/ports/system.ts'

const BUCKETS_COUNT = 8_192
const SLOTS_PER_BUCKET_COUNT = 16
const SLOTS_COUNT = BUCKETS_COUNT * SLOTS_PER_BUCKET_COUNT

/** Of a slot: two halves of the key's hash, and the count. */
const WORDS_PER_SLOT_COUNT = 3
const HIGH = 0
const LOW = 1
const COUNT = 2

/** Longer than any thread that runs has a lock. */
const MAX_SPINS_COUNT = 1_000
/** The wait for a thread that has the lock and no processor. One that has ended with it never releases it. */
const LOCK_WAIT_MS = 1
const MAX_LOCK_WAITS_COUNT = 40

/** The counters of the threads of one process. */
export interface LimitMemory {
  readonly buffer: SharedArrayBuffer
  /** Without it nobody can choose keys that collide. */
  readonly seed: bigint
}

const ENDS_BYTES = SLOTS_COUNT * Float64Array.BYTES_PER_ELEMENT
const SLOTS_BYTES = SLOTS_COUNT * WORDS_PER_SLOT_COUNT * Int32Array.BYTES_PER_ELEMENT
const LOCKS_BYTES = BUCKETS_COUNT * Int32Array.BYTES_PER_ELEMENT

export const createLimitMemory = (): LimitMemory => ({
  buffer: new SharedArrayBuffer(ENDS_BYTES + SLOTS_BYTES + LOCKS_BYTES),
  seed: crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n,
})

/** A table of counters, in which each key has a place in one bucket. */
const openTable = ({ buffer, seed }: LimitMemory) => {
  const ends = new Float64Array(buffer, 0, SLOTS_COUNT)
  const words = new Int32Array(buffer, ENDS_BYTES, SLOTS_COUNT * WORDS_PER_SLOT_COUNT)
  const locks = new Int32Array(buffer, ENDS_BYTES + SLOTS_BYTES, BUCKETS_COUNT)

  const word = (slot: number, at: number): number => words[slot * WORDS_PER_SLOT_COUNT + at] ?? 0
  const set = (slot: number, at: number, value: number): void => {
    words[slot * WORDS_PER_SLOT_COUNT + at] = value
  }

  const isTaken = (bucket: number): boolean => {
    for (let spins = 0; spins < MAX_SPINS_COUNT; spins++) {
      if (Atomics.compareExchange(locks, bucket, 0, 1) === 0) return true
    }
    return false
  }
  const locked = <T>(bucket: number, work: () => T): T => {
    for (let waits = 0; !isTaken(bucket) && waits < MAX_LOCK_WAITS_COUNT; waits++) {
      Atomics.wait(locks, bucket, 1, LOCK_WAIT_MS)
    }
    try {
      return work()
    } finally {
      Atomics.store(locks, bucket, 0)
    }
  }

  /** The slot of a key, or the one to use for it: an empty one, or the one whose window ends first. */
  const find = (bucket: number, high: number, low: number): { readonly slot: number; readonly isKnown: boolean } => {
    const first = bucket * SLOTS_PER_BUCKET_COUNT
    let earliest = first
    for (let slot = first; slot < first + SLOTS_PER_BUCKET_COUNT; slot++) {
      if (word(slot, HIGH) === high && word(slot, LOW) === low) return { slot, isKnown: true }
      if ((ends[slot] ?? 0) < (ends[earliest] ?? 0)) earliest = slot
    }
    return { slot: earliest, isKnown: false }
  }

  return {
    /** Runs `work` while no other thread uses the counter of a key. */
    use<T>(key: string, work: (counter: { readonly slot: number; readonly isKnown: boolean }) => T): T {
      const hash = Bun.hash.wyhash(key, seed)
      const high = Number(BigInt.asIntN(32, hash >> 32n))
      const low = Number(BigInt.asIntN(32, hash))
      const bucket = (high >>> 0) % BUCKETS_COUNT
      return locked(bucket, () => {
        const found = find(bucket, high, low)
        set(found.slot, HIGH, high)
        set(found.slot, LOW, low)
        return work(found)
      })
    },
    count: (slot: number) => word(slot, COUNT),
    setCount: (slot: number, count: number) => set(slot, COUNT, count),
    endOf: (slot: number) => ends[slot] ?? 0,
    setEnd(slot: number, instant: number) {
      ends[slot] = instant
    },
  }
}

/** Counts for all threads of this process together. In a full bucket, the window that ends first is dropped. */
export const createThreadsRateLimiter = (memory: LimitMemory, clock: Clock): RateLimiter => {
  const table = openTable(memory)
  return {
    take: (key, rate, cost = 1) =>
      table.use(key, ({ slot, isKnown }) => {
        const now = clock.now()
        if (!isKnown || table.endOf(slot) <= now) {
          table.setEnd(slot, now + rate.windowMs)
          table.setCount(slot, 0)
        }
        const allowed = table.count(slot) + cost <= rate.limit
        if (allowed) table.setCount(slot, table.count(slot) + cost)
        return {
          allowed,
          limit: rate.limit,
          remaining: Math.max(0, rate.limit - table.count(slot)),
          resetInMs: table.endOf(slot) - now,
        }
      }),
    clear: (key) => table.use(key, ({ slot }) => table.setEnd(slot, 0)),
  }
}
