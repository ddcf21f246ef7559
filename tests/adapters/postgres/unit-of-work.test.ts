import { afterAll, describe } from 'bun:test'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import { unitOfWorkContract } from '../../contracts/unit-of-work.ts'
import { missing, outsideOfPostgres, testDatabase } from '../../support/postgres.ts'
import { userNamed } from '../../support/store.ts'

const open = async (size = 10) => {
  const url = await testDatabase()
  const store = openPostgresStore({ url, size })
  afterAll(() => store.close())
  return { url, store, outside: <Row>(sql: string) => outsideOfPostgres<Row>(url, sql) }
}

/** Makes the COMMIT of whoever inserts a user called `spoilt` fail. */
const SPOIL = `
  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
  CREATE CONSTRAINT TRIGGER spoilt AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.name = 'spoilt') EXECUTE FUNCTION refuse()`

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  unitOfWorkContract('postgres', async () => {
    const { store, outside } = await open()
    await outside(SPOIL)
    return {
      unitOfWork: store,
      committed: async () =>
        (await outside<{ email: string }>('SELECT email FROM users ORDER BY email')).map(({ email }) => email),
      spoilCommit: async (tx) => void (await tx.users.insert(userNamed('spoilt'))),
    }
  })
})
