import { createMemoryRateLimiter } from '../../../src/adapters/memory/rate-limiter.ts'
import { rateLimiterContract } from '../../contracts/rate-limiter.ts'
import { testClock } from '../../support/clock.ts'

rateLimiterContract('memory', async () => {
  const clock = testClock()
  return { limiter: createMemoryRateLimiter(clock), pass: async (milliseconds) => clock.advance(milliseconds) }
})
