import type { AccessNotices } from '../../application/ports/messaging.ts'

/** Calls the listeners of this process before `publish` returns; `complete` if no other process uses this database. */
export const createMemoryAccessNotices = (complete = true): AccessNotices => {
  const listeners: ((userId: number) => void)[] = []
  return {
    complete,
    publish(userId) {
      for (const listener of listeners) listener(userId)
    },
    subscribe(listener) {
      listeners.push(listener)
    },
  }
}
