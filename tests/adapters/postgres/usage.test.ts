import { describe, setDefaultTimeout } from 'bun:test'
import migration from '../../../src/adapters/postgres/migrations/0007_usage.sql' with { type: 'text' }
import { usageContract } from '../../contracts/usage.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

setDefaultTimeout(30_000)

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  usageContract('postgres', async (quotaBytes) => openTestPostgres(10, undefined, undefined, quotaBytes), migration)
})
