import { Database } from 'bun:sqlite'
import { termsIn } from '../../src/adapters/sqlite/record-text.ts'
import { openSqliteStore } from '../../src/adapters/sqlite/unit-of-work.ts'
import { TASKS, taskLines } from './tasks.ts'

const RECORDS_PER_COMMIT_COUNT = 2_000
const TEXTS_PER_COMMIT_COUNT = 5_000
/** Not that of an import. From 0, chance would give nothing but 0. */
const FILL_SEED = 2
const PROGRESS_EVERY_COUNT = 250_000

interface FillOptions {
  readonly lists: readonly { readonly id: number; readonly owner: { readonly id: number } }[]
  readonly count: number
  readonly progress: (text: string) => void
}

/** Adds tasks as the program stores them, but no events. Answers the id of the collection. */
const addRecords = async (path: string, { lists, count, progress }: FillOptions): Promise<number> => {
  const store = openSqliteStore({ path })
  const owners = new Map(lists.map(({ id, owner }) => [id, owner.id]))
  const lines = taskLines({ lists: lists.map(({ id }) => id), count, seed: FILL_SEED })
  const start = Date.now() - count
  let added = 0
  const addSome = () =>
    store.write(async (tx) => {
      const stored = await tx.collections.find(TASKS.name)
      if (stored === null) throw new Error('nobody has defined tasks')
      const records = tx.records(stored)
      for (const until = Math.min(count, added + RECORDS_PER_COMMIT_COUNT); added < until; added++) {
        const fields = JSON.parse(lines.next().value ?? '')
        const at = start + added
        const ownerId = owners.get(fields.list) ?? null
        await records.insert({ ...fields, ownerId, version: 1, createdAt: at, updatedAt: at })
      }
      return stored.id
    })
  let collectionId = await addSome()
  while (added < count) {
    collectionId = await addSome()
    if (added % PROGRESS_EVERY_COUNT === 0) progress(`record ${added} of ${count}`)
  }
  await store.close()
  return collectionId
}

/** Does at once what the program would do in the background: indexes the words of records that came many in one commit. */
const indexTexts = (path: string, collectionId: number): void => {
  using database = new Database(path, { readwrite: true, create: false, strict: true })
  database.run('PRAGMA synchronous = OFF')
  database.run('PRAGMA cache_size = -500000')
  using waiting = database.prepare<{ id: number; owner_id: number | null; data: string }, [number]>(
    'SELECT id, owner_id, data FROM records_unindexed JOIN records USING (id) ORDER BY id DESC LIMIT ?',
  )
  using index = database.prepare<unknown, [number, string]>('INSERT INTO records_words (rowid, words) VALUES (?, ?)')
  using done = database.prepare<unknown, [number]>('DELETE FROM records_unindexed WHERE id = ?')
  const indexSome = database.transaction(() => {
    const rows = waiting.all(TEXTS_PER_COMMIT_COUNT)
    for (const { id, owner_id: ownerId, data } of rows) {
      const { title, notes } = JSON.parse(data)
      index.run(-id, termsIn({ text: `${title}\n${notes}`, ownerId, collectionId }))
      done.run(id)
    }
    return rows.length
  })
  while (indexSome() > 0);
}

/** Fills the collection of tasks of a server that does not run, in a fraction of the time that an import takes. */
export const fillTasks = async (path: string, options: FillOptions): Promise<void> => {
  if (options.count === 0) return
  const from = performance.now()
  indexTexts(path, await addRecords(path, options))
  options.progress(`filled in ${((performance.now() - from) / 1_000).toFixed(0)} s`)
}
