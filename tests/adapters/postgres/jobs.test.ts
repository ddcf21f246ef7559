import { afterAll, describe } from 'bun:test'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import { jobQueueContract } from '../../contracts/jobs.ts'
import { missing, testDatabase } from '../../support/postgres.ts'

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  jobQueueContract('postgres', async () => {
    const url = await testDatabase()
    const one = openPostgresStore({ url, size: 5 })
    const other = openPostgresStore({ url, size: 5 })
    afterAll(() => Promise.all([one.close(), other.close()]))
    return { one, other }
  })
})
