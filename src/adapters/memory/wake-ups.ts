import type { WakeUps } from '../../application/ports/messaging.ts'

/** For a single process: there are no others to notify. */
export const createMemoryWakeUps = (): WakeUps => ({ publish() {}, subscribe() {} })
