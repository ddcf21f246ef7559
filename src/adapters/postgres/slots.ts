import { unavailable } from './errors.ts'
import type { ServerConnection } from './server-connection.ts'

/** A place for one connection. */
export interface Slot {
  connection: ServerConnection | null
  opening: Promise<ServerConnection> | null
  /** Running statements that share it. */
  sharing: number
  /** Statements that are not sent yet: a transaction that began now would contain them. */
  unsent: number
  taken: boolean
}

/** Who may use which connection: one transaction has it exclusively, or any number of single statements share it. */
export interface Slots {
  readonly all: readonly Slot[]
  readonly maxExclusiveCount: number
  /** Null if none is free. */
  tryEnter(exclusive: boolean): Slot | null
  /** Rejects with `unavailable` if none becomes free in time. */
  waitToEnter(exclusive: boolean): Promise<Slot>
  /** Call it when a single statement has been sent. */
  sent(slot: Slot): void
  leave(slot: Slot, exclusive: boolean): void
  /** Resolves when none is in use. */
  idle(): Promise<void>
}

/** Maximum number of pipelined statements on one connection. */
const MAX_SHARING_COUNT = 64

/** If there are two or more connections, one is always left for single statements. */
export const createSlots = (count: number, timeoutMs: number): Slots => {
  const all = Array.from(
    { length: count },
    (): Slot => ({
      connection: null,
      opening: null,
      sharing: 0,
      unsent: 0,
      taken: false,
    }),
  )
  const maxExclusiveCount = Math.max(1, count - 1)
  const waiting = { shared: new Set<(slot: Slot) => void>(), exclusive: new Set<(slot: Slot) => void>() }
  const waitingFor = (exclusive: boolean) => (exclusive ? waiting.exclusive : waiting.shared)
  let taken = 0
  let onIdle: (() => void) | null = null

  const isIdle = () => taken === 0 && all.every(({ sharing }) => sharing === 0)

  /** The least busy usable slot; open ones are preferred. */
  const pick = (exclusive: boolean): Slot | null => {
    if (exclusive && taken >= maxExclusiveCount) return null
    let best: Slot | null = null
    let least = Number.POSITIVE_INFINITY
    for (const slot of all) {
      const load = slot.sharing * 2 + (slot.connection === null ? 1 : 0)
      if (slot.taken || slot.sharing >= MAX_SHARING_COUNT || (exclusive && slot.unsent > 0) || load >= least) continue
      best = slot
      least = load
    }
    return best
  }

  const tryEnter = (exclusive: boolean): Slot | null => {
    const slot = pick(exclusive)
    if (slot === null) return null
    if (exclusive) {
      slot.taken = true
      taken++
    } else {
      slot.sharing++
      slot.unsent++
    }
    return slot
  }

  const admit = (exclusive: boolean): void => {
    const queue = waitingFor(exclusive)
    for (const admitted of queue) {
      const slot = tryEnter(exclusive)
      if (slot === null) return
      queue.delete(admitted)
      admitted(slot)
    }
  }

  return {
    all,
    maxExclusiveCount,
    tryEnter,
    waitToEnter(exclusive) {
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
    leave(slot, exclusive) {
      if (exclusive) {
        slot.taken = false
        taken--
      } else slot.sharing--
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
