import { parentPort, workerData } from 'node:worker_threads'
import { createThreadsRateLimiter, type LimitMemory } from '../../src/adapters/threads/rate-limiter.ts'

const memory: LimitMemory = workerData

// Takes from one key as fast as it can, and tells how often that was allowed.
const limiter = createThreadsRateLimiter(memory, { now: () => 0 })
let count = 0
for (let call = 0; call < 40_000; call++) {
  if ((await limiter.take('key', { limit: 50_000, windowMs: 1_000 })).allowed) count++
}
parentPort?.postMessage(count)
