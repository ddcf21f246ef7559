import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createDeletionFinishing } from '../../src/application/deletion-finishing.ts'
import type { Store, UnitOfWork } from '../../src/application/ports/persistence.ts'
import type { RecordOperation } from '../../src/application/records.ts'
import { isEqualJson, type JsonObject } from '../../src/domain/merge-patch.ts'
import type { StoredRecord } from '../../src/domain/record.ts'
import { codeOf, collectionsOn } from '../support/collections.ts'
import { collectionOf, deletionsLikeTheModel, reference } from '../support/deletions.ts'
import { readEvents } from '../support/events.ts'
import { runsOf } from '../support/runs.ts'

const text = { type: 'string', maxLength: 50 }

/** Every reference is to the collection before it. */
const DEFINITIONS = [
  collectionOf('projects', {}),
  collectionOf('lists', { project: reference('projects', 'cascade') }),
  collectionOf(
    'tasks',
    { title: text, slug: text, list: reference('lists', 'cascade') },
    { search: ['title'], indexes: [{ fields: ['slug'], unique: true }, { fields: ['title'] }] },
  ),
  collectionOf(
    'notes',
    { project: reference('projects', 'clear'), tasks: reference('tasks', 'clear', true) },
    { indexes: [{ fields: ['project'] }] },
  ),
  collectionOf('invoices', { task: reference('tasks', 'restrict') }),
]

const INSERTED_AT_ONCE_COUNT = 250

interface Sizes {
  readonly lists: number
  readonly tasks: number
  readonly notes: number
}

const SMALL: Sizes = { lists: 2, tasks: 12, notes: 3 }

const titleOf = ({ title = null }: StoredRecord): JsonObject => ({ title })
const projectOf = ({ project = null }: StoredRecord): JsonObject => ({ project })

const never = { signal: new AbortController().signal, isOver: () => false }

/** What every engine promises of deletions that reach more records than one transaction changes. */
export const largeDeletionsContract = (engine: string, openStore: () => Promise<Store>) => {
  /** Something to do after each write of a deletion. */
  const openWith = async (sizes: Sizes, after: (write: number) => Promise<void> | void = () => {}) => {
    const store = await openStore()
    let isDeleting = false
    let writes = 0
    let removals = 0
    const wrap = (unitOfWork: UnitOfWork): UnitOfWork => ({
      read: (work) => unitOfWork.read(work),
      async write(work) {
        const result = await unitOfWork.write(work)
        if (isDeleting) await after(++writes)
        return result
      },
    })
    const others = collectionsOn(store, { maxAffectedCount: 0 })
    const deleting = collectionsOn(store, { maxAffectedCount: 0, wrap })
    for (const definition of DEFINITIONS) await others.define(definition)
    const admin = await others.anAdmin()
    const insert = async (name: string, drafts: readonly JsonObject[]) => {
      const ids: number[] = []
      for (let from = 0; from < drafts.length; from += INSERTED_AT_ONCE_COUNT) {
        await store.write(async (tx) => {
          const stored = await tx.collections.find(name)
          if (stored === null) throw new Error('there is no such collection')
          for (const draft of drafts.slice(from, from + INSERTED_AT_ONCE_COUNT)) {
            const times = { version: 1, createdAt: 1, updatedAt: 1 }
            ids.push((await tx.records(stored).insert({ ...draft, ownerId: admin.userId, ...times })).id)
          }
        })
      }
      return ids
    }
    const [project = 0, other = 0] = await insert('projects', [{}, {}])
    const lists = await insert(
      'lists',
      Array.from({ length: sizes.lists }, () => ({ project })),
    )
    const tasks = await insert(
      'tasks',
      Array.from({ length: sizes.tasks }, (_, n) => ({
        title: `buy ${n}`,
        slug: `s${n}`,
        list: lists[n % lists.length] ?? 0,
      })),
    )
    const [kept = 0] = await insert('tasks', [{ title: 'keep', slug: 'kept', list: null }])
    const notes = await insert(
      'notes',
      Array.from({ length: sizes.notes }, (_, n) => ({ project, tasks: [tasks[n] ?? 0, kept] })),
    )
    const list = async (name: string, filter: string | null = null, q: string | null = null) => {
      const query = {
        ...{ ownerId: null, text: q, createdAfter: null, createdBefore: null, size: 1, from: { page: 1 } },
        sort: { field: 'created_at', descending: false },
      }
      const { page } = await others.records.list(admin, name, query, { filter })
      return page.total
    }
    const countOf = (name: string) =>
      store.read(async (tx) => tx.collections.countRecords((await tx.collections.find(name)) ?? ''))
    const exists = (name: string, id: number) =>
      others.records.get(admin, name, id).then(
        () => true,
        () => false,
      )
    const noteOf = async (id: number) => (await others.records.get(admin, 'notes', id)).record
    /** Everything that a reader sees of the project. */
    const look = async () => ({
      project: await exists('projects', project),
      lists: await list('lists'),
      tasks: await list('tasks', 'list != null'),
      searched: await list('tasks', null, 'buy'),
      counted: await countOf('tasks'),
      last: await exists('tasks', tasks.at(-1) ?? 0),
      references: await list('notes', `project == ${project}`),
      cleared: await list('notes', 'project == null'),
    })
    const before = {
      ...{ project: true, lists: sizes.lists, tasks: sizes.tasks, searched: sizes.tasks },
      ...{ counted: sizes.tasks + 1, last: true, references: sizes.notes, cleared: 0 },
    }
    const afterwards = {
      ...{ project: false, lists: 0, tasks: 0, searched: 0 },
      ...{ counted: 1, last: false, references: 0, cleared: sizes.notes },
    }
    /** With leases that have expired. */
    const finish = createDeletionFinishing({
      ...{ unitOfWork: store, catalog: others.catalog, units: others.units },
      clock: { now: () => Date.now() + 3_600_000 },
    })
    const finishAll = async () => {
      for (let id = 1; id < 5 + removals; id++) await finish(id, never)
    }
    return {
      ...{
        store,
        records: others.records,
        create: others.create,
        define: others.define,
        admin,
        project,
        other,
        lists,
        tasks,
        kept,
        notes,
      },
      ...{ look, before, afterwards, list, countOf, exists, noteOf, finishAll },
      async remove(name = 'projects', id = project) {
        isDeleting = true
        writes = 0
        removals++
        await deleting.records.remove(admin, name, id, null).finally(() => {
          isDeleting = false
        })
      },
      /** Changes each record and changes it back, as can be done only to one without a mark. */
      async expectNoMarks() {
        const operations: RecordOperation[] = []
        for (const [collection, ids] of Object.entries({ lists, tasks, notes })) {
          for (const id of ids) {
            if (!(await exists(collection, id))) continue
            const { record } = await others.records.get(admin, collection, id)
            const patches =
              collection === 'tasks' ? [{ title: 'touched' }, titleOf(record)] : [{ project: other }, projectOf(record)]
            for (const patch of patches) operations.push({ op: 'update', collection, id, patch, expected: null })
          }
        }
        await others.records.batch(admin, operations, null)
      },
    }
  }

  describe(`deletions of any size, of ${engine}`, () => {
    test('2000 records over three levels disappear at once, while others read and write', async () => {
      const sizes = { lists: 50, tasks: 2_000, notes: 200 }
      const {
        look,
        before,
        afterwards,
        remove,
        create,
        admin,
        exists,
        noteOf,
        notes,
        kept,
        store,
        finishAll,
        countOf,
      } = await openWith(sizes)
      let isDone = false
      const removing = remove().finally(() => {
        isDone = true
      })
      const seen: Awaited<ReturnType<typeof look>>[] = []
      let created = 0
      const writing = (async () => {
        while (!isDone) {
          await create(admin, 'lists', { project: null })
          created++
        }
      })()
      while (!isDone) seen.push(await look())
      await Promise.all([removing, writing])
      const wasSeen = seen.map(({ lists: _, ...part }) => JSON.stringify(part))
      const { lists: _, ...present } = before
      expect(wasSeen.filter((each) => each === JSON.stringify(present)).length).toBeGreaterThan(1)
      // The last look may have begun before and ended after.
      expect(new Set(wasSeen.slice(0, -1))).toEqual(new Set([JSON.stringify(present)]))
      expect(created).toBeGreaterThan(1)
      expect(await look()).toEqual({ ...afterwards, lists: created })
      expect(await noteOf(notes[0] ?? 0)).toMatchObject({ project: null, tasks: [kept], version: 2 })
      await finishAll()
      expect(await look()).toEqual({ ...afterwards, lists: created })
      expect(await countOf('lists')).toBe(created)
      expect(await noteOf(notes[0] ?? 0)).toMatchObject({ project: null, tasks: [kept], version: 3 })
      expect(await exists('tasks', kept)).toBe(true)
      const deleted = (await readEvents(store)).filter(({ event }) => event.endsWith('.deleted'))
      expect(deleted).toHaveLength(1 + sizes.lists + sizes.tasks)
    }, 120_000)

    test('a record deep inside that does not allow it changes nothing', async () => {
      const { look, before, remove, create, admin, tasks, expectNoMarks } = await openWith(SMALL)
      await create(admin, 'invoices', { task: tasks.at(-1) ?? 0 })
      expect(await codeOf(remove())).toBe('referenced')
      expect(await look()).toEqual(before)
      await expectNoMarks()
    })

    test('records that are being deleted can be read, but not changed, deleted or referenced', async () => {
      const outcomes = new Set<string>()
      const opened: Awaited<ReturnType<typeof openWith>> = await openWith(SMALL, async () => {
        const { records, create, admin, tasks, lists, project, exists } = opened
        const attempt = async (work: Promise<unknown>) => {
          outcomes.add(
            await work.then(
              () => 'done',
              (error) => error.code,
            ),
          )
        }
        if (!(await exists('projects', project))) return
        await attempt(create(admin, 'lists', { project }))
        await attempt(create(admin, 'notes', { project }))
        await attempt(records.remove(admin, 'projects', project, null))
        for (const id of [tasks[0] ?? 0, lists[0] ?? 0])
          expect(await exists(id === tasks[0] ? 'tasks' : 'lists', id)).toBe(true)
      })
      await opened.remove()
      expect(outcomes).toEqual(new Set(['being_deleted']))
      expect(await opened.look()).toEqual(opened.afterwards)
    })

    test('whatever others write meanwhile, no reference leads nowhere', async () => {
      const outcomes = new Set<string>()
      const opened: Awaited<ReturnType<typeof openWith>> = await openWith(SMALL, async (write) => {
        const { records, create, admin, tasks, lists, notes, kept } = opened
        const at = (ids: readonly number[]) => ids[write % ids.length] ?? 0
        const attempt = async (work: Promise<unknown>) => {
          outcomes.add(
            await work.then(
              () => 'done',
              (error) => error.code,
            ),
          )
        }
        await attempt(create(admin, 'tasks', { title: 'late', slug: `late${write}`, list: at(lists) }))
        await attempt(create(admin, 'notes', { tasks: [at(tasks), kept] }))
        await attempt(records.update(admin, 'tasks', at(tasks), { title: `changed ${write}` }, { expected: null }))
        await attempt(records.update(admin, 'notes', at(notes), { tasks: [kept] }, { expected: null }))
      })
      await opened.remove()
      expect([...outcomes].sort()).toEqual(['being_deleted', 'done', 'not_found', 'validation_failed'])
      expect(await opened.list('tasks', 'list != null')).toBe(0)
      expect(await opened.list('notes', 'project != null')).toBe(0)
      expect(await opened.list('notes', `tasks.exists(t, t != ${opened.kept})`)).toBe(0)
      await opened.finishAll()
      expect(await opened.list('tasks', 'list != null')).toBe(0)
      expect(await opened.countOf('tasks')).toBe((await opened.list('tasks')) as number)
    })

    test('a process that ends in any step leaves everything or nothing, and its marks are removed', async () => {
      let last = 1
      let isOver = false
      const open = () =>
        openWith(SMALL, (write) => {
          if (write < last) return
          isOver = true
          throw new Error('the process has ended')
        })
      let opened = await open()
      for (; ; last++) {
        isOver = false
        await opened.remove().catch(() => {})
        const seen = await opened.look()
        expect<object[]>([opened.before, opened.afterwards]).toContainEqual(seen)
        await opened.finishAll()
        expect(await opened.look()).toEqual(seen)
        await opened.expectNoMarks()
        if (!isOver) break
        // Only what had been stored when it ended counts.
        expect(last).toBeLessThan(100)
        // What is whole can be deleted again.
        if (!isEqualJson(seen, opened.before)) opened = await open()
      }
    }, 120_000)

    test('a unique key is free as soon as its record is gone', async () => {
      const { remove, create, admin, list, finishAll, countOf, look, afterwards } = await openWith(SMALL)
      await remove()
      const again = await create(admin, 'tasks', { title: 'again', slug: 's3', list: null })
      expect(await codeOf(create(admin, 'tasks', { title: 'again', slug: 's3', list: null }))).toBe('not_unique')
      expect(await list('tasks', 'slug == "s3"')).toBe(1)
      await finishAll()
      expect(await list('tasks', `slug == "s3" && id == ${again.id}`)).toBe(1)
      expect(await countOf('tasks')).toBe(2)
      expect(await look()).toEqual({ ...afterwards, counted: 2 })
    })

    test('a record whose references were cleared can be changed at once', async () => {
      const { remove, records, admin, notes, other, kept, noteOf, finishAll, list } = await openWith(SMALL)
      await remove()
      const [id = 0] = notes
      await records.update(
        admin,
        'notes',
        id,
        { project: other },
        { expected: [{ version: 2, epoch: null, form: null }] },
      )
      expect(await noteOf(id)).toMatchObject({ project: other, tasks: [kept], version: 3 })
      await finishAll()
      expect(await noteOf(id)).toMatchObject({ project: other, tasks: [kept], version: 3 })
      expect(await list('notes', `project == ${other}`)).toBe(1)
    })

    test('a definition that changes meanwhile knows nothing of deleted records', async () => {
      const opened = await openWith(SMALL)
      await opened.remove()
      const [tasks] = DEFINITIONS.filter(({ name }) => name === 'tasks')
      const { define } = opened
      await define({ ...tasks, name: 'tasks', indexes: [{ fields: ['slug'], unique: true }, { fields: ['list'] }] })
      await define(
        collectionOf('notes', { about: reference('projects', 'clear'), tasks: reference('tasks', 'clear', true) }),
        [{ op: 'move', from: '/project', path: '/about' }],
      )
      const note = await opened.noteOf(opened.notes[0] ?? 0)
      expect(note).toMatchObject({ about: null, tasks: [opened.kept] })
      await opened.finishAll()
      expect(await opened.noteOf(opened.notes[0] ?? 0)).toMatchObject({ about: null, tasks: [opened.kept] })
      expect(await opened.countOf('tasks')).toBe(1)
      expect(await opened.list('tasks')).toBe(1)
    })

    test.each([0, 1])(
      'have the results of small ones, where more than %i records are many',
      async (maxAffectedCount) => {
        const open = async () => collectionsOn(await openStore(), { maxAffectedCount })
        await fc.assert(deletionsLikeTheModel(open), { numRuns: runsOf(2, 6), endOnFailure: true })
      },
      120_000,
    )
  })
}
