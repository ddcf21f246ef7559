import { describe } from 'bun:test'
import { collectionsContract } from '../../contracts/collections.ts'
import { itemSearchContract } from '../../contracts/item-search.ts'
import { itemsContract } from '../../contracts/items.ts'
import { mailLimitsContract } from '../../contracts/mail-limits.ts'
import { preparedRecordsContract } from '../../contracts/prepared-records.ts'
import { recordQueriesContract } from '../../contracts/record-queries.ts'
import { recordsContract } from '../../contracts/records.ts'
import { storedRecordsContract } from '../../contracts/stored-records.ts'
import { usersContract } from '../../contracts/users.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  usersContract('postgres', async () => (await openTestPostgres()).store)
  mailLimitsContract('postgres', async () => (await openTestPostgres()).store)
  itemsContract('postgres', async () => (await openTestPostgres()).store)
  itemSearchContract('postgres', async () => (await openTestPostgres()).store)
  recordsContract('postgres', async () => (await openTestPostgres()).store)
  recordQueriesContract('postgres', async () => (await openTestPostgres()).store)
  collectionsContract('postgres', async () => (await openTestPostgres()).store)
  storedRecordsContract('postgres', async () => (await openTestPostgres()).store)
  preparedRecordsContract('postgres', async () => (await openTestPostgres()).store)
})
