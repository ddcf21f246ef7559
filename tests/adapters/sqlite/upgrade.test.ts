import { join } from 'node:path'
import { openWriter } from '../../../src/adapters/sqlite/database.ts'
import { MIGRATIONS, migrate } from '../../../src/adapters/sqlite/migrate.ts'
import { FIRST_MIGRATION_OF_COLLECTIONS, upgradeContract } from '../../contracts/upgrade.ts'
import { temporaryFolder } from '../../support/skep.ts'
import { embeddedOnly } from '../../support/stack.ts'

upgradeContract('SQLite', async (statements) => {
  const DATA_DIR = temporaryFolder()
  const { database, close } = openWriter(join(DATA_DIR, 'skep.db'))
  migrate(
    database,
    MIGRATIONS.filter(({ name }) => name < FIRST_MIGRATION_OF_COLLECTIONS),
  )
  for (const statement of statements) database.run(statement)
  close()
  return { DATA_DIR, ...embeddedOnly }
})
