import type { Bus } from '../../application/ports/messaging.ts'
import type { Clock } from '../../application/ports/system.ts'
import { createMemoryAccessNotices } from './access-notices.ts'
import { createMemoryCommitSignals } from './commit-signals.ts'
import { createMemoryRateLimiter } from './rate-limiter.ts'
import { createMemorySocketSlots } from './socket-slots.ts'

/** For a single process; `isAlone` if no other process can use its database. */
export const createMemoryBus = (clock: Clock, isAlone = true): Bus => ({
  limiter: createMemoryRateLimiter(clock),
  notices: createMemoryAccessNotices(isAlone),
  commitSignals: createMemoryCommitSignals(),
  socketSlots: createMemorySocketSlots(),
  checks: [],
  async close() {},
})
