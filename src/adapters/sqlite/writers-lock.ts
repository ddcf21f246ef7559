/**
 * What the threads of one process that have the same database open know of each other's commits. SQLite has one writer,
 * and its own lock knows no queue: a thread that finds it taken could only ask again.
 */
export interface WritersLock {
  /** Resolves when only this thread may write; undefined if that is so at once. Threads that wait get it in turn. */
  acquire(): Promise<void> | undefined
  release(): void
  /** Whether a thread ended before the commit that it had begun was on the disk. Call it with the lock. */
  isUnsynced(): boolean
  /** Call it with the lock: from now on other threads may read what is not on the disk yet. */
  beginCommit(): void
  /** Call it with the lock: everything that was committed is on the disk. */
  endCommit(): void
  /** The number of the latest commit that is on the disk. Numbers wrap: compare them with {@link isReached}. */
  durable(): number
  /** The number of the latest commit that may be visible. */
  visible(): number
  /** Resolves when the commit with this number is on the disk. */
  untilDurable(commit: number): Promise<void>
  /** What was committed may not be on the disk: nobody may write or read it from now on. */
  markLost(): void
  isLost(): boolean
  /** The descriptor of the write-ahead log that one thread has opened for all. */
  log(): number | null
  shareLog(descriptor: number | null): void
  /** Takes the lock from a thread that has ended. False if that has lost a commit. */
  forget(thread: number): boolean
}

/** The positions of its words in the memory. */
const OWNER = 0
/** Twice the number of durable commits, plus one while another one may be visible. */
const SEQUENCE = 1
const LOST = 2
/** One more than the descriptor of the log. */
const LOG = 3
const WAITING = 4

const NOBODY = 0

/** Shared by `threads` threads of one process. */
export const createLockMemory = (threads: number): SharedArrayBuffer =>
  new SharedArrayBuffer((WAITING + threads) * Int32Array.BYTES_PER_ELEMENT)

/** Whether `by` is the number of this commit or of a later one. Numbers have 31 bits. */
export const isReached = (commit: number, by: number): boolean => (by - commit) << 1 >= 0

/** The lock as one of the threads sees it, by its number from 0 on. */
export const openWritersLock = (memory: SharedArrayBuffer, thread: number): WritersLock => {
  const words = new Int32Array(memory)
  const threads = words.length - WAITING
  const own = thread + 1

  const sequence = () => Atomics.load(words, SEQUENCE)
  const setSequence = (value: number) => {
    Atomics.store(words, SEQUENCE, value)
    Atomics.notify(words, SEQUENCE)
  }
  const durable = () => sequence() >> 1

  /** The next thread that waits, in turn. */
  const nextWaiting = (): number | null => {
    for (let step = 1; step < threads; step++) {
      const candidate = (thread + step) % threads
      if (Atomics.load(words, WAITING + candidate) === 1) return candidate
    }
    return null
  }
  /** Of a lock that this thread may give away. */
  const handOver = () => {
    const next = nextWaiting()
    // A thread that starts to wait now takes the free lock itself. It must not get it again: it may be done by then.
    Atomics.store(words, OWNER, next === null ? NOBODY : next + 1)
    Atomics.notify(words, OWNER)
  }

  const isOwn = (owner: number): boolean => owner === NOBODY || owner === own
  const take = () => Atomics.compareExchange(words, OWNER, NOBODY, own)

  const waitForTurn = async (found: number): Promise<void> => {
    for (let owner = found; !isOwn(owner); owner = take()) await Atomics.waitAsync(words, OWNER, owner).value
    Atomics.store(words, WAITING + thread, 0)
  }

  return {
    acquire() {
      Atomics.store(words, WAITING + thread, 1)
      const owner = take()
      if (!isOwn(owner)) return waitForTurn(owner)
      Atomics.store(words, WAITING + thread, 0)
      return undefined
    },
    release: handOver,
    isUnsynced: () => sequence() % 2 !== 0,
    beginCommit: () => setSequence(sequence() | 1),
    endCommit: () => setSequence((sequence() | 1) + 1),
    durable,
    visible: () => (sequence() + 1) >> 1,
    async untilDurable(commit) {
      for (let now = sequence(); !isReached(commit, now >> 1); now = sequence()) {
        await Atomics.waitAsync(words, SEQUENCE, now).value
      }
    },
    markLost: () => void Atomics.store(words, LOST, 1),
    isLost: () => Atomics.load(words, LOST) === 1,
    log() {
      const shared = Atomics.load(words, LOG)
      return shared === 0 ? null : shared - 1
    },
    shareLog: (descriptor) => void Atomics.store(words, LOG, descriptor === null ? 0 : descriptor + 1),
    forget(ended) {
      if (Atomics.load(words, LOST) === 1) return false
      Atomics.store(words, WAITING + ended, 0)
      if (Atomics.compareExchange(words, OWNER, ended + 1, own) === ended + 1) handOver()
      return true
    },
  }
}
