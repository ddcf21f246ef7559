import { largeDeletionsContract } from '../../contracts/large-deletions.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

if (!missing) largeDeletionsContract('Postgres', async () => (await openTestPostgres()).store)
