import type { AccessNotices } from '../../application/ports/messaging.ts'

/** Reaches the listeners of this process, before `publish` returns. */
export const createMemoryAccessNotices = (): AccessNotices => {
  const listeners: ((userId: number) => void)[] = []
  return {
    complete: true,
    publish(userId) {
      for (const listener of listeners) listener(userId)
    },
    subscribe(listener) {
      listeners.push(listener)
    },
  }
}
