import { afterAll } from 'bun:test'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import { eventLogContract } from '../../contracts/events.ts'
import { openTestStore } from '../../support/store.ts'

eventLogContract('sqlite', async () => {
  const { store, path } = openTestStore()
  const other = openSqliteStore({ path })
  afterAll(() => other.close())
  return { one: store, other }
})
