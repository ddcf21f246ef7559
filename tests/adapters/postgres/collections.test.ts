import { describe, expect, test } from 'bun:test'
import type { StoredCollection } from '../../../src/application/ports/collections.ts'
import type { Tx } from '../../../src/application/ports/persistence.ts'
import type { Collection } from '../../../src/domain/collection.ts'
import type { AppError } from '../../../src/domain/errors.ts'
import type { JsonObject } from '../../../src/domain/merge-patch.ts'
import { newRecord } from '../../../src/domain/record.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { until } from '../../support/until.ts'

const LISTS: Collection = {
  name: 'lists',
  singular: 'list',
  description: '',
  fields: { title: { type: 'string', maxLength: 50 } },
  required: ['title'],
  sorts: [],
  search: ['title'],
  indexes: [{ fields: ['title'], unique: true }],
}
const TASKS: Collection = {
  ...LISTS,
  name: 'tasks',
  singular: 'task',
  fields: { ...LISTS.fields, list: { type: ['integer', 'null'], 'x-ref': 'lists' } },
}

const WAITING = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
/** Units that deadlock then fail by their `lock_timeout`, instead of being retried. */
const KEEP_DEADLOCKS = `DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''1min''', current_database());
END $$`

const required = (stored: StoredCollection | null): StoredCollection => {
  if (stored === null) throw new Error('the collection does not exist')
  return stored
}

const insertInto = async (tx: Tx, name: string, draft: JsonObject) => {
  const stored = required(await tx.collections.find(name))
  return tx.records(stored).insert(newRecord(stored.collection, draft, 1, 5))
}

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  const open = async (size = 10) => {
    const { store, open: openOther, outside } = await openTestPostgres(size)
    await outside(KEEP_DEADLOCKS)
    await store.write(async (tx) => {
      await tx.collections.findForChange('lists')
      await tx.collections.insert(LISTS, 1)
      await tx.collections.findForChange('tasks')
      await tx.collections.insert(TASKS, 1)
    })
    return { store, other: openOther(), outside }
  }

  const changeDescription = async (tx: Tx, name: string, description: string) => {
    const stored = required(await tx.collections.findForChange(name))
    const next = { collection: { ...stored.collection, description }, transform: null }
    return tx.collections.activate(await tx.collections.prepare(stored, next), 9)
  }

  test('a process sees the next definition as soon as another has stored it, and until then the same object', async () => {
    const { store, other } = await open()
    const find = () => other.read((tx) => tx.collections.find('tasks'))
    const before = await find()
    expect(await find()).toBe(before)
    expect(before).toMatchObject({ version: 1, collection: { description: '' } })
    await store.write((tx) => changeDescription(tx, 'tasks', 'changed'))
    const after = await find()
    expect(after).toMatchObject({ version: 2, collection: { description: 'changed' } })
    expect(await find()).toBe(after)
    await store.write(async (tx) => {
      const stored = required(await tx.collections.findForChange('tasks'))
      await tx.collections.prepare(stored, { collection: TASKS, transform: null })
    })
    expect(await find()).toMatchObject({ version: 2, pending: { collection: TASKS } })
    await store.write(async (tx) => tx.collections.delete(required(await tx.collections.findForChange('tasks'))))
    expect(await find()).toBeNull()
    expect((await other.read((tx) => tx.collections.all())).map(({ collection }) => collection.name)).toEqual(['lists'])
  })

  test('concurrent look-ups of definitions share statements and each find theirs', async () => {
    const { other } = await open()
    const names = ['tasks', 'lists', 'none', 'x\0', '"\\']
    const found = await Promise.all(
      Array.from({ length: 50 }, (_, n) => other.read((tx) => tx.collections.find(names[n % 5] ?? ''))),
    )
    expect(found.map((stored) => stored?.collection.name ?? null).slice(45)).toEqual([
      'tasks',
      'lists',
      null,
      null,
      null,
    ])
    expect(new Set(found)).toHaveProperty('size', 3)
  })

  test('a change of a definition waits for the units that use it, and units that come later wait for the change', async () => {
    const { store, other, outside } = await open()
    const order: string[] = []
    const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const using = store.write(async (tx) => {
      await insertInto(tx, 'tasks', { title: 'a' })
      begun.resolve()
      await end.promise
      order.push('used')
    })
    await begun.promise
    const changing = other.write(async (tx) => {
      await changeDescription(tx, 'tasks', 'changed')
      order.push('changed')
    })
    await until(async () => (await outside(WAITING)).length === 1)
    const later = store.write(async (tx) => {
      const stored = required(await tx.collections.find('tasks'))
      order.push(`used again in version ${stored.version}`)
    })
    await until(async () => (await outside(WAITING)).length === 2)
    end.resolve()
    await Promise.all([using, changing, later])
    expect(order).toEqual(['used', 'changed', 'used again in version 2'])
  })

  test('of two units that define the same name, the second finds what the first has defined', async () => {
    const { store, other } = await open()
    const define = (tx: Tx) =>
      tx.collections
        .findForChange('notes')
        .then((stored) => stored ?? tx.collections.insert({ ...LISTS, name: 'notes', singular: 'note' }, 1))
    const stored = await Promise.all([store.write(define), other.write(define)])
    expect(stored[0]?.id).toBe(stored[1]?.id ?? 0)
  })

  test('a definition that a rolled back unit has changed is as before', async () => {
    const { store } = await open()
    const failed = store.write(async (tx) => {
      await changeDescription(tx, 'tasks', 'never')
      throw new Error('rolled back')
    })
    await expect(failed).rejects.toThrow('rolled back')
    expect(await store.read((tx) => tx.collections.find('tasks'))).toMatchObject({ version: 1, pending: null })
    expect(await store.write(async (tx) => tx.collections.find('tasks'))).toMatchObject({ version: 1, pending: null })
  })

  test('of racing writers of one unique key, exactly one succeeds, and the others are told which field', async () => {
    const { store, other } = await open()
    for (const title of ['a', 'b', 'c']) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) =>
          (n % 2 === 0 ? store : other).write((tx) => insertInto(tx, 'tasks', { title })),
        ),
      )
      const refused = outcomes.flatMap((outcome): AppError[] => (outcome.status === 'rejected' ? [outcome.reason] : []))
      expect(refused).toHaveLength(19)
      for (const { code, faults } of refused) {
        expect(code).toBe('not_unique')
        expect(faults?.map(({ pointer }) => pointer)).toEqual(['/title'])
      }
    }
    const tasks = required(await store.read((tx) => tx.collections.find('tasks')))
    expect(await store.read((tx) => tx.collections.countRecords(tasks))).toBe(3)
  })

  test('a key is free again when the record that has it is deleted or changed, also in the same unit', async () => {
    const { store } = await open()
    await store.write(async (tx) => {
      const first = await insertInto(tx, 'tasks', { title: 'a' })
      const tasks = tx.records(required(await tx.collections.find('tasks')))
      await tasks.update({ ...first, title: 'b', version: 2 })
      const second = await insertInto(tx, 'tasks', { title: 'a' })
      await tasks.delete(second.id)
      await insertInto(tx, 'tasks', { title: 'a' })
    })
    await expect(store.write((tx) => insertInto(tx, 'tasks', { title: 'b' }))).rejects.toMatchObject({
      code: 'not_unique',
    })
  })

  test('batches over two collections, in whatever order, and changes of their definitions do not deadlock', async () => {
    const { store, other } = await open()
    const batch = (names: readonly string[], n: number) => async (tx: Tx) => {
      for (const name of names) await insertInto(tx, name, { title: `${n}` })
    }
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => {
        const from = n % 2 === 0 ? store : other
        const names = n % 3 === 0 ? ['tasks', 'lists'] : ['lists', 'tasks']
        if (n % 10 !== 9) return from.write(batch(names, n))
        return from.write(async (tx) => {
          for (const name of names) await changeDescription(tx, name, `${n}`)
        })
      }),
    )
    const tasks = required(await store.read((tx) => tx.collections.find('tasks')))
    expect(await store.read((tx) => tx.collections.countRecords(tasks))).toBe(54)
  })

  test('a referenced record cannot be deleted while another unit relies on it', async () => {
    const { store, other, outside } = await open()
    const list = await store.write((tx) => insertInto(tx, 'lists', { title: 'x' }))
    const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const referencing = store.write(async (tx) => {
      await tx.records(required(await tx.collections.find('lists'))).findAll([list.id])
      await insertInto(tx, 'tasks', { title: 'y', list: list.id })
      begun.resolve()
      await end.promise
    })
    await begun.promise
    const found = other.write(async (tx) => {
      await tx.records(required(await tx.collections.find('lists'))).findById(list.id)
      const tasks = tx.records(required(await tx.collections.find('tasks')))
      return tasks.referencing('list', list.id, 10)
    })
    await until(async () => (await outside(WAITING)).length > 0)
    end.resolve()
    await referencing
    expect((await found).map(({ title }) => title)).toEqual(['y'])
  })

  test('units that share transactions rely on records that other units change, and none waits for ever', async () => {
    const { store, other } = await open(3)
    const lists = await store.write(async (tx) => [
      await insertInto(tx, 'lists', { title: 'a' }),
      await insertInto(tx, 'lists', { title: 'b' }),
    ])
    const create = (n: number) => async (tx: Tx) => {
      const id = lists[n % 2]?.id ?? 0
      await tx.records(required(await tx.collections.find('lists'))).findAll([id])
      await insertInto(tx, 'tasks', { title: `${n}`, list: id })
    }
    const rename = (n: number) => async (tx: Tx) => {
      const stored = required(await tx.collections.find('lists'))
      const list = await tx.records(stored).findById(lists[n % 2]?.id ?? 0)
      if (list === null) throw new Error('the list does not exist')
      await tx.records(stored).update({ ...list, title: `${list.title}${n % 10}`, version: list.version + 1 })
    }
    await Promise.all(
      Array.from({ length: 300 }, (_, n) => (n % 3 === 0 ? store : other).write(n % 7 === 0 ? rename(n) : create(n))),
    )
    const tasks = required(await store.read((tx) => tx.collections.find('tasks')))
    expect(await store.read((tx) => tx.collections.countRecords(tasks))).toBe(257)
    const stored = required(await store.read((tx) => tx.collections.find('lists')))
    const after = await store.read((tx) => tx.records(stored).findAll(lists.map(({ id }) => id)))
    expect(after.reduce((sum, { version }) => sum + version, 0)).toBe(2 + 43)
  })

  test('units that share transactions insert the same unique keys, and each key is stored once', async () => {
    const { store, other } = await open(3)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 300 }, (_, n) =>
        (n % 2 === 0 ? store : other).write((tx) => insertInto(tx, 'tasks', { title: `${(n * 7) % 100}` })),
      ),
    )
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
    expect(refused).toEqual(Array.from({ length: 200 }, () => 'not_unique'))
  })
})
