import { auditContract } from '../../contracts/audit.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

if (!missing) auditContract('postgres', async () => (await openTestPostgres(2)).store)
