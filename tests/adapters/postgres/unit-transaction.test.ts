import { describe, expect, test } from 'bun:test'
import { createPool } from '../../../src/adapters/postgres/pool.ts'
import { transact } from '../../../src/adapters/postgres/transaction.ts'
import { createUnitTransaction, type UnitTransaction } from '../../../src/adapters/postgres/unit-transaction.ts'
import { missing, testDatabase } from '../../support/postgres.ts'

/** What is known of a unit once it has run `work`. */
const after = async (work: (transaction: UnitTransaction) => Promise<unknown>, exist = false) => {
  const pool = createPool({ url: await testDatabase(), size: 1 })
  try {
    return await pool.exclusively((connection) =>
      transact(connection, async (query) => {
        const transaction = createUnitTransaction(query, { exist, limitWaits() {} })
        await work(transaction)
        return { written: transaction.hasWritten(), locked: transaction.hasLocked() }
      }),
    )
  } finally {
    await pool.close(0)
  }
}

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL, a unit', () => {
  test('that changes rows has written and locked them, however the statement is spelled', async () => {
    const changed = { written: true, locked: true }
    expect(await after((tx) => tx.change('update users set name = name'))).toEqual(changed)
    expect(await after((tx) => tx.change('UPDATE users SET name = name'))).toEqual(changed)
  })

  test('that only reads has done neither, whatever its statement contains', async () => {
    const read = { written: false, locked: false }
    expect(await after((tx) => tx.read("with words as (select 'DELETE') select * from words"))).toEqual(read)
    expect(await after((tx) => tx.lookUp('', 'SELECT * FROM users WHERE id = $1', 1))).toEqual(read)
  })

  test('that looks up a row to authorize by it has locked it and has nothing to roll back', async () => {
    const locked = { written: false, locked: true }
    expect(await after((tx) => tx.lookUp('FOR NO KEY UPDATE', 'SELECT * FROM users WHERE id = $1', 1))).toEqual(locked)
    expect(await after((tx) => tx.lock('SELECT * FROM users FOR UPDATE'))).toEqual(locked)
  })

  test('that inserts rows has written, and nobody waits for them', async () => {
    const insert = (tx: UnitTransaction) => tx.insert('INSERT INTO usage (user_id, bytes) VALUES (1, 1)')
    expect(await after(insert)).toEqual({ written: true, locked: false })
  })

  test('that would wait while its transaction has locks of earlier units is postponed, and can do nothing more', async () => {
    const outcome = await after(async (tx) => {
      expect(() => tx.lock('SELECT * FROM users FOR UPDATE')).toThrow()
      expect(() => tx.insert('INSERT INTO usage (user_id, bytes) VALUES (1, 1)')).toThrow()
      expect(tx.isPostponed()).toBe(true)
    }, true)
    expect(outcome).toEqual({ written: false, locked: false })
  })

  test('that has written is not postponed', async () => {
    const outcome = await after(async (tx) => {
      await tx.insert('INSERT INTO usage (user_id, bytes) VALUES (1, 1)')
      await tx.lock('SELECT * FROM users FOR UPDATE')
      expect(tx.isPostponed()).toBe(false)
    }, true)
    expect(outcome).toEqual({ written: true, locked: true })
  })
})
