import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import { ITEMS } from '../../../src/domain/collections/items.ts'
import { newRecord } from '../../../src/domain/record.ts'
import { epochsContract } from '../../contracts/epochs.ts'
import { itemEvent } from '../../support/events.ts'
import { missing, testDatabase } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { createTestRealtime } from '../../support/realtime.ts'
import { recordingLog, temporaryFolder } from '../../support/skep.ts'

const TOOLS = '/usr/lib/postgresql/15/bin'

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  epochsContract('postgres', async () => {
    const { store, open, outside } = await openTestPostgres(2)
    return {
      store,
      async again() {
        await outside("UPDATE epochs SET origin = 'another server'")
        return open()
      },
    }
  })

  const currentOf = (store: ReturnType<typeof openPostgresStore>) => store.read(async (tx) => tx.epochs.current)
  const write = (store: ReturnType<typeof openPostgresStore>) =>
    store.write(async (tx) => {
      const item = await tx.records('items').insert(newRecord(ITEMS, { title: 'x' }, 1, 1))
      await tx.events.append(itemEvent('created', item))
    })

  test('processes that share a database share its epoch, also one that starts later', async () => {
    const { store, open, outside } = await openTestPostgres(2)
    const others = [open(), open()]
    await Promise.all([store, ...others].map((each) => each.beginEpoch()))
    const later = open()
    await later.beginEpoch()
    expect(new Set(await Promise.all([store, ...others, later].map(currentOf))).size).toBe(1)
    expect(await outside('SELECT FROM epochs')).toHaveLength(1)
  })

  test('a new connection to different data is detected before anything is sent on it', async () => {
    const { store, outside } = await openTestPostgres(2)
    await store.beginEpoch()
    const before = await currentOf(store)
    for (let n = 0; n < 3; n++) await write(store)
    const realtime = createTestRealtime(store, recordingLog())
    const restored = Promise.withResolvers<void>()
    await realtime.start({ onEvent: () => undefined, onCaughtUp: () => undefined, onRestored: restored.resolve })
    expect([realtime.position(), realtime.epoch()]).toEqual([3, before])
    // As a restore of a copy that ended after the first event leaves it.
    await outside('DELETE FROM events WHERE position > 1')
    await outside('UPDATE events_end SET position = 1')
    await outside("UPDATE epochs SET origin = 'another server'")
    await outside(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    )
    realtime.notify()
    await restored.promise
    expect(await realtime.begin({ epoch: before, position: 3 })).toEqual({ position: 1, gap: true })
    expect(await realtime.begin({ epoch: before, position: 1 })).toEqual({ position: 1, gap: false })
    expect(realtime.epoch()).toBe(await currentOf(store))
    await realtime.stop()
  })

  test('a reader of the log continues after a mere restart of the server', async () => {
    const { store, outside } = await openTestPostgres(2)
    await store.beginEpoch()
    await write(store)
    const realtime = createTestRealtime(store, recordingLog())
    const second = Promise.withResolvers<number>()
    const restored = () => second.reject(new Error('restored'))
    await realtime.start({
      onEvent: ({ position }) => void second.resolve(position),
      onCaughtUp: () => undefined,
      onRestored: restored,
    })
    await outside("UPDATE epochs SET origin = 'the same server, before its restart'")
    await outside(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    )
    await write(store)
    realtime.notify()
    expect(await second.promise).toBe(2)
    await realtime.stop()
  })

  test.skipIf(!existsSync(join(TOOLS, 'pg_dump')))('a dump that is restored begins another', async () => {
    const { store, url } = await openTestPostgres(2)
    await store.beginEpoch()
    const before = await currentOf(store)
    await write(store)
    const file = join(temporaryFolder(), 'dump')
    await Bun.$`${TOOLS}/pg_dump --format=custom --file=${file} ${url}`.quiet()
    await write(store)
    const target = await testDatabase('empty')
    await Bun.$`${TOOLS}/pg_restore --dbname=${target} ${file}`.quiet()
    const copy = openPostgresStore({ url: target, size: 2 })
    afterAll(() => copy.close(0))
    await copy.beginEpoch()
    expect(await currentOf(copy)).not.toBe(before)
    expect(await copy.read((tx) => tx.epochs.find(before))).toEqual({ id: before, end: 1 })
  })
})
