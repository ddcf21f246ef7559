import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Store } from '../../src/application/ports/persistence.ts'
import { isEqualJson } from '../../src/domain/merge-patch.ts'
import { codeOf, collectionsOn } from '../support/collections.ts'
import { DEFINITIONS, openProject, type Sizes, SMALL } from '../support/deletable-project.ts'
import { collectionOf, deletionsLikeTheModel, reference } from '../support/deletions.ts'
import { readEvents } from '../support/events.ts'
import { runsOf } from '../support/runs.ts'

/** What every engine promises of deletions that reach more records than one transaction changes. */
export const largeDeletionsContract = (engine: string, openStore: () => Promise<Store>) => {
  const openWith = (sizes: Sizes, after?: (write: number) => Promise<void> | void) =>
    openProject(openStore, sizes, after)

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
