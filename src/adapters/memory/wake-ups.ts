import type { WakeUps } from '../../application/ports/messaging.ts'

/** For a process without others: there is nobody to wake, and nobody who does. */
export const createMemoryWakeUps = (): WakeUps => ({ publish() {}, subscribe() {} })
