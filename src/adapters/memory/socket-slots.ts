import type { SocketSlots } from '../../application/ports/messaging.ts'

/** Counts the sockets of this process. */
export const createMemorySocketSlots = (): SocketSlots => {
  const counts = new Map<number, number>()
  return {
    take(userId, limit) {
      const count = counts.get(userId) ?? 0
      if (count >= limit) return false
      counts.set(userId, count + 1)
      return true
    },
    release(userId) {
      const count = counts.get(userId) ?? 0
      if (count > 1) counts.set(userId, count - 1)
      else counts.delete(userId)
    },
  }
}
