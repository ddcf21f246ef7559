import { afterAll } from 'bun:test'

// Its hooks are for every file, also where files share their modules. Only where there are databases to remove.
if (process.env.SKEP_TEST_POSTGRES_URL !== undefined) {
  const { dropTestDatabases } = await import('./postgres.ts')
  // Removing many waits for the disk.
  afterAll(dropTestDatabases, { timeout: 60_000 })
}
