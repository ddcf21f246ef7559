import { createDeletionFinishing } from '../../src/application/deletion-finishing.ts'
import type { Store, UnitOfWork } from '../../src/application/ports/persistence.ts'
import type { RecordOperation } from '../../src/application/records.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { StoredRecord } from '../../src/domain/record.ts'
import { collectionsOn } from './collections.ts'
import { collectionOf, reference } from './deletions.ts'

const text = { type: 'string', maxLength: 50 }

/** Every reference is to the collection before it. */
export const DEFINITIONS = [
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

/** How many records reach a project. */
export interface Sizes {
  readonly lists: number
  readonly tasks: number
  readonly notes: number
}

export const SMALL: Sizes = { lists: 2, tasks: 12, notes: 3 }

const titleOf = ({ title = null }: StoredRecord): JsonObject => ({ title })
const projectOf = ({ project = null }: StoredRecord): JsonObject => ({ project })

const never = { signal: new AbortController().signal, isOver: () => false }

/**
 * A project with records below it, on a store of its own; everything is deleted in many writes, and there may be
 * something to do after each of them.
 */
export const openProject = async (
  openStore: () => Promise<Store>,
  sizes: Sizes,
  after: (write: number) => Promise<void> | void = () => {},
) => {
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
