import { describe, expect, test } from 'bun:test'
import { createPool, type Pool } from '../../../src/adapters/postgres/pool.ts'
import type { ServerConnection } from '../../../src/adapters/postgres/server-connection.ts'
import { missing, testDatabase } from '../../support/postgres.ts'

/** As many as one connection carries at a time. */
const PIPELINE_COUNT = 64
const ISOLATION = "SELECT current_setting('transaction_isolation') AS isolation"

const opened = async (size: number): Promise<Pool & AsyncDisposable> => {
  const pool = createPool({ url: await testDatabase(), size })
  return { ...pool, [Symbol.asyncDispose]: () => pool.close(0) }
}

const transact = async (connection: ServerConnection): Promise<void> => {
  await connection.send('BEGIN ISOLATION LEVEL SERIALIZABLE', [])
  await connection.send('COMMIT', [])
}

const isolationOf = async (pool: Pool) => (await pool.query<{ isolation: string }>(ISOLATION))[0]?.isolation

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('a statement that waited for a connection does not run inside a later transaction', async () => {
    await using pool = await opened(2)
    const { promise: occupied, resolve: release } = Promise.withResolvers<void>()
    const { promise: taken, resolve: take } = Promise.withResolvers<void>()
    const first = pool.exclusively(async () => {
      take()
      await occupied
    })
    await taken
    // The other connection is full.
    const crowd = Array.from({ length: PIPELINE_COUNT }, () => pool.query('SELECT pg_sleep(0.01)'))
    const waited = isolationOf(pool)
    const next = first.then(() => pool.exclusively(transact))
    release()
    expect(await waited).toBe('read committed')
    await Promise.all([next, ...crowd])
  })
})
