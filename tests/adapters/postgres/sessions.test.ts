import { afterAll, describe } from 'bun:test'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import { sessionsContract } from '../../contracts/sessions.ts'
import { missing, testDatabase } from '../../support/postgres.ts'

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  sessionsContract('postgres', async () => {
    const store = openPostgresStore({ url: await testDatabase(), size: 5 })
    afterAll(() => store.close())
    return store
  })
})
