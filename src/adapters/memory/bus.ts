import type { Bus } from '../../application/ports/messaging.ts'
import type { Clock } from '../../application/ports/system.ts'
import { createMemoryAccessNotices } from './access-notices.ts'
import { createMemoryCommitSignals } from './commit-signals.ts'
import { createMemoryRateLimiter } from './rate-limiter.ts'

/** For a process that works alone; `isAlone` when nothing could have another one work on its database. */
export const createMemoryBus = (clock: Clock, isAlone = true): Bus => ({
  limiter: createMemoryRateLimiter(clock),
  notices: createMemoryAccessNotices(isAlone),
  commitSignals: createMemoryCommitSignals(),
  checks: [],
  async close() {},
})
