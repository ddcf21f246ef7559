import { backupJobsContract } from '../../contracts/backup-jobs.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

if (!missing) {
  backupJobsContract('Postgres', async () => {
    const { store: one, open } = await openTestPostgres(5)
    return { one, other: open() }
  })
}
