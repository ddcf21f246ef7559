import type { AccessNotices } from '../../application/ports/messaging.ts'

/** Calls the listeners of this process before `publish` returns; `lossless` if no other process uses this database. */
export const createMemoryAccessNotices = (lossless = true): AccessNotices => {
  const listeners: ((userId: number) => void)[] = []
  return {
    lossless,
    publish(userId) {
      for (const listener of listeners) listener(userId)
    },
    subscribe(listener) {
      listeners.push(listener)
    },
  }
}
