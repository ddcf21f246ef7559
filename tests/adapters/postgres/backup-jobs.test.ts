import { backupJobsContract } from '../../contracts/backup-jobs.ts'
import { backupNowContract } from '../../contracts/backup-now.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

const openProcesses = async () => {
  const { store: one, open } = await openTestPostgres(5)
  return { one, other: open() }
}

if (!missing) {
  backupJobsContract('Postgres', openProcesses)
  backupNowContract('Postgres', openProcesses)
}
