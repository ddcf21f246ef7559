// Before anything that loads Elysia, as in the program.
import '../../src/main/production-mode.ts'

import { systemClock } from '../../src/adapters/bun/clock.ts'
import { createOpaqueTokens } from '../../src/adapters/bun/opaque-tokens.ts'
import { NO_RESERVE } from '../../src/adapters/fs/reserve.ts'
import { createAccessTokens } from '../../src/adapters/jwt/access-tokens.ts'
import { createMemoryAccessNotices } from '../../src/adapters/memory/access-notices.ts'
import { createMemoryRateLimiter } from '../../src/adapters/memory/rate-limiter.ts'
import { createAttempts } from '../../src/application/attempts.ts'
import { createUsers } from '../../src/application/users.ts'
import { recordUnitsOn } from './collections.ts'
import { type Member, quickPasswords, signIn, type TestSkep } from './skep.ts'
import { openStoreOf } from './stack.ts'

/** What `skep admin create` does, beside the running server. */
export const createFirstAdmin = async (skep: Pick<TestSkep, 'dataDir' | 'call'>): Promise<Member> => {
  const store = await openStoreOf(skep.dataDir)
  const users = createUsers({
    catalog: recordUnitsOn(store).catalog,
    unitOfWork: store,
    passwords: quickPasswords(),
    opaqueTokens: createOpaqueTokens(''),
    accessTokens: createAccessTokens('-'.repeat(32), systemClock),
    accessTtlMs: 1,
    refreshTtlMs: 1,
    notices: createMemoryAccessNotices(),
    attempts: createAttempts(createMemoryRateLimiter(systemClock), 'off', store),
    clock: systemClock,
    signup: 'open',
    reserve: NO_RESERVE,
  })
  const credentials = { email: 'root@example.com', password: 'correct horse' }
  const { id } = await users.createAdmin({ ...credentials, name: 'Admin' })
  await store.close()
  return signIn(skep.call, { id, ...credentials })
}
