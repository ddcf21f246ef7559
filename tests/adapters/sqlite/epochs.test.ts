import { afterAll } from 'bun:test'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import { epochsContract } from '../../contracts/epochs.ts'
import { openTestStore } from '../../support/store.ts'

epochsContract('sqlite', async () => {
  const { store, path } = openTestStore()
  return {
    store,
    async again() {
      await store.close()
      const other = openSqliteStore({ path })
      afterAll(() => other.close())
      return other
    },
  }
})
