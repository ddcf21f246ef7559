import { afterAll } from 'bun:test'
import { createEmptyPostgresTarget, openPostgresSnapshot } from '../../../src/adapters/postgres/snapshot.ts'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import { backupsContract } from '../../contracts/backups.ts'
import { missing, testDatabase } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

if (!missing) {
  backupsContract({
    name: 'Postgres',
    async open() {
      const { store, url } = await openTestPostgres()
      return { store, snapshot: () => openPostgresSnapshot(url) }
    },
    async target() {
      const url = await testDatabase('empty')
      return {
        target: createEmptyPostgresTarget(url),
        snapshot: () => openPostgresSnapshot(url),
        open() {
          const store = openPostgresStore({ url, size: 2 })
          afterAll(() => store.close(0))
          return store
        },
      }
    },
  })
}
