import { expect, test } from 'bun:test'
import { createDeletionFinishing } from '../../../src/application/deletion-finishing.ts'
import type { Store } from '../../../src/application/ports/persistence.ts'
import type { Actor } from '../../../src/domain/session.ts'
import { collectionsOn } from '../../support/collections.ts'
import { copyToPostgres } from '../../support/copy-to-postgres.ts'
import { collectionOf, reference } from '../../support/deletions.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { openTestStore } from '../../support/store.ts'

const DEFINITIONS = [
  collectionOf('projects', {}),
  collectionOf('tasks', { slug: { type: 'string', maxLength: 20 }, project: reference('projects', 'cascade') }),
  collectionOf('notes', { project: reference('projects', 'clear') }, { indexes: [{ fields: ['project'] }] }),
]

const ALL = {
  ...{ ownerId: null, text: null, createdAfter: null, createdBefore: null, size: 100, from: { page: 1 } },
  sort: { field: 'created_at', descending: false },
}

/** What a reader sees. */
const lookAt = async (store: Store, actor: Actor) => {
  const { records } = collectionsOn(store)
  const list = async (name: string, filter: string | null = null) =>
    (await records.list(actor, name, ALL, { filter })).page
  const { total, items } = await list('notes')
  return {
    projects: (await list('projects')).total,
    tasks: (await list('tasks')).total,
    notes: total,
    referencing: (await list('notes', 'project != null')).total,
    versions: [...new Set(items.map(({ version }) => version))],
  }
}

const BEFORE = { projects: 1, tasks: 12, notes: 3, referencing: 3, versions: [1] }
const AFTER = { projects: 0, tasks: 0, notes: 3, referencing: 0, versions: [2] }

/** An embedded database whose process has ended after so many units of a deletion. */
const endedAfter = async (units: number) => {
  const { store, path, outside } = openTestStore()
  const others = collectionsOn(store, { maxAffectedCount: 0 })
  for (const definition of DEFINITIONS) await others.define(definition)
  const admin = await others.anAdmin()
  const project = await others.create(admin, 'projects', {})
  for (let n = 0; n < 12; n++) await others.create(admin, 'tasks', { slug: `s${n}`, project: project.id })
  for (let n = 0; n < 3; n++) await others.create(admin, 'notes', { project: project.id })
  let writes = 0
  const deleting = collectionsOn(store, {
    maxAffectedCount: 0,
    wrap: ({ read, write }) => ({
      read,
      write: (work) => (writes++ < units ? write(work) : Promise.reject(new Error('the process has ended'))),
    }),
  })
  const isComplete = await deleting.records.remove(admin, 'projects', project.id, null).then(
    () => true,
    () => false,
  )
  const states = outside<{ state: string }>('SELECT state FROM deletions').map(({ state }) => state)
  return { store, path, admin, isComplete, state: states.join() }
}

if (!missing) {
  test('an installation that was copied in any step of a large deletion has all of it or nothing, and its copy goes on', async () => {
    const states = new Set<string>()
    for (let units = 1; ; units++) {
      const { store: embedded, path, admin, isComplete, state } = await endedAfter(units)
      states.add(state)
      const seen = await lookAt(embedded, admin)
      expect<object[]>([BEFORE, AFTER]).toContainEqual(seen)
      await embedded.close()
      const { store, url, outside } = await openTestPostgres()
      await copyToPostgres(path, url)
      expect(await lookAt(store, admin)).toEqual(seen)

      const others = collectionsOn(store)
      const clock = { now: () => Date.now() + 3_600_000 }
      const finish = createDeletionFinishing({ unitOfWork: store, catalog: others.catalog, units: others.units, clock })
      await finish(1, { signal: new AbortController().signal, isOver: () => false })
      expect(await lookAt(store, admin)).toEqual(seen.projects === 1 ? BEFORE : { ...AFTER, versions: [3] })
      expect(await outside('SELECT id FROM deletions')).toEqual([])
      expect(await outside('SELECT id FROM records WHERE deletion_id IS NOT NULL')).toEqual([])
      if (isComplete) break
    }
    expect(states).toContain('marking')
    expect(states).toContain('done')
  }, 120_000)
}
