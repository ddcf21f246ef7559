import { unavailable } from './errors.ts'
import type { ServerConnection } from './server-connection.ts'

/** A place for one connection. */
export interface Slot {
  connection: ServerConnection | null
  opening: Promise<ServerConnection> | null
  /** Running statements that share it. */
  inFlight: number
  /** Statements that are not sent yet: a transaction that began now would contain them. */
  unsent: number
  taken: boolean
}

/** Assigns connections: to one transaction exclusively, or to any number of single statements. */
export interface Slots {
  readonly all: readonly Slot[]
  readonly maxExclusiveCount: number
  /** Null if none is free. */
  tryAcquire(exclusive: boolean): Slot | null
  /** Rejects with `unavailable` if none becomes free in time. */
  acquire(exclusive: boolean): Promise<Slot>
  /** Call it when a single statement has been sent. */
  sent(slot: Slot): void
  release(slot: Slot, exclusive: boolean): void
  /** Resolves when none is in use. */
  idle(): Promise<void>
}

/** Maximum number of pipelined statements on one connection. */
const MAX_IN_FLIGHT_COUNT = 64

/** If there are two or more connections, one is always left for single statements. */
export const createSlots = (count: number, timeoutMs: number): Slots => {
  const all = Array.from(
    { length: count },
    (): Slot => ({
      connection: null,
      opening: null,
      inFlight: 0,
      unsent: 0,
      taken: false,
    }),
  )
  const maxExclusiveCount = Math.max(1, count - 1)
  const waiting = { shared: new Set<(slot: Slot) => void>(), exclusive: new Set<(slot: Slot) => void>() }
  const waitingFor = (exclusive: boolean) => (exclusive ? waiting.exclusive : waiting.shared)
  let taken = 0
  let onIdle: (() => void) | null = null

  const isIdle = () => taken === 0 && all.every(({ inFlight }) => inFlight === 0)

  /** The least busy usable slot; open ones are preferred. */
  const pick = (exclusive: boolean): Slot | null => {
    if (exclusive && taken >= maxExclusiveCount) return null
    let best: Slot | null = null
    let leastLoad = Number.POSITIVE_INFINITY
    for (const slot of all) {
      const load = slot.inFlight * 2 + (slot.connection === null ? 1 : 0)
      if (slot.taken || slot.inFlight >= MAX_IN_FLIGHT_COUNT || (exclusive && slot.unsent > 0) || load >= leastLoad)
        continue
      best = slot
      leastLoad = load
    }
    return best
  }

  const tryAcquire = (exclusive: boolean): Slot | null => {
    const slot = pick(exclusive)
    if (slot === null) return null
    if (exclusive) {
      slot.taken = true
      taken++
    } else {
      slot.inFlight++
      slot.unsent++
    }
    return slot
  }

  const admit = (exclusive: boolean): void => {
    const queue = waitingFor(exclusive)
    for (const admitted of queue) {
      const slot = tryAcquire(exclusive)
      if (slot === null) return
      queue.delete(admitted)
      admitted(slot)
    }
  }

  return {
    all,
    maxExclusiveCount,
    tryAcquire,
    acquire(exclusive) {
      const queue = waitingFor(exclusive)
      return new Promise((resolve, reject) => {
        const admitted = (slot: Slot) => {
          clearTimeout(timer)
          resolve(slot)
        }
        const timer = setTimeout(() => {
          queue.delete(admitted)
          reject(unavailable('The database is busy'))
        }, timeoutMs)
        queue.add(admitted)
      })
    },
    sent(slot) {
      slot.unsent--
      if (waiting.exclusive.size > 0) admit(true)
    },
    release(slot, exclusive) {
      if (exclusive) {
        slot.taken = false
        taken--
      } else slot.inFlight--
      if (waiting.exclusive.size > 0) admit(true)
      if (waiting.shared.size > 0) admit(false)
      if (onIdle !== null && isIdle()) onIdle()
    },
    async idle() {
      if (isIdle()) return
      const { promise, resolve } = Promise.withResolvers<void>()
      onIdle = resolve
      await promise
    },
  }
}
