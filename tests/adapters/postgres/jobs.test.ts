import { describe } from 'bun:test'
import { jobQueueContract } from '../../contracts/jobs.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  jobQueueContract('postgres', async () => {
    const { store: one, open } = await openTestPostgres(5)
    return { one, other: open() }
  })
})
