import { afterAll } from 'bun:test'
import { join } from 'node:path'
import { createSqliteTarget } from '../../../src/adapters/sqlite/filling.ts'
import { openSqliteSnapshot } from '../../../src/adapters/sqlite/snapshot.ts'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import { backupsContract } from '../../contracts/backups.ts'
import { temporaryFolder } from '../../support/skep.ts'
import { openTestStore } from '../../support/store.ts'

backupsContract({
  name: 'SQLite',
  async open() {
    const { store, path } = openTestStore()
    return { store, snapshot: async () => openSqliteSnapshot(path) }
  },
  async target() {
    const path = join(temporaryFolder(), 'restored.db')
    return {
      target: createSqliteTarget(path),
      snapshot: async () => openSqliteSnapshot(path),
      open() {
        const store = openSqliteStore({ path })
        afterAll(() => store.close())
        return store
      },
    }
  },
})
