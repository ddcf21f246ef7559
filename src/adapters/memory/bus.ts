import type { Bus } from '../../application/ports/messaging.ts'
import type { Clock } from '../../application/ports/system.ts'
import { createMemoryAccessNotices } from './access-notices.ts'
import { createMemoryRateLimiter } from './rate-limiter.ts'
import { createMemoryWakeUps } from './wake-ups.ts'

/** For a process that has the database to itself. */
export const createMemoryBus = (clock: Clock): Bus => ({
  limiter: createMemoryRateLimiter(clock),
  notices: createMemoryAccessNotices(),
  wakeUps: createMemoryWakeUps(),
  checks: [],
  async close() {},
})
