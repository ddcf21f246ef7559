import { afterAll } from 'bun:test'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import { backupJobsContract } from '../../contracts/backup-jobs.ts'
import { openTestStore } from '../../support/store.ts'

backupJobsContract('SQLite', async () => {
  const { store, path } = openTestStore()
  const other = openSqliteStore({ path })
  afterAll(() => other.close())
  return { one: store, other }
})
