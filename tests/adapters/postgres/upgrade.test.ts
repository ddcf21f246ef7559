import { MIGRATIONS, migrate } from '../../../src/adapters/postgres/migrate.ts'
import { FIRST_MIGRATION_OF_COLLECTIONS, upgradeContract } from '../../contracts/upgrade.ts'
import { missing, outsideOfPostgres, testDatabase } from '../../support/postgres.ts'

if (!missing)
  upgradeContract('Postgres', async (statements) => {
    const url = await testDatabase('empty')
    await migrate(
      url,
      MIGRATIONS.filter(({ name }) => name < FIRST_MIGRATION_OF_COLLECTIONS),
    )
    // The words of the item, which that version stored beside it.
    await outsideOfPostgres(url, "ALTER TABLE items ALTER words SET DEFAULT ''")
    for (const statement of statements) await outsideOfPostgres(url, statement)
    await outsideOfPostgres(url, 'ALTER TABLE items ALTER words DROP DEFAULT')
    await migrate(url)
    return { DATABASE_URL: url, JWT_SECRET: 'a secret that only these tests know' }
  })
