import { afterAll } from 'bun:test'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import { backupJobsContract } from '../../contracts/backup-jobs.ts'
import { backupNowContract } from '../../contracts/backup-now.ts'
import { openTestStore } from '../../support/store.ts'

const openProcesses = async () => {
  const { store, path } = openTestStore()
  const other = openSqliteStore({ path })
  afterAll(() => other.close())
  return { one: store, other }
}

backupJobsContract('SQLite', openProcesses)
backupNowContract('SQLite', openProcesses)
