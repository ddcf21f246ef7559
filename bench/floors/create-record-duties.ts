/**
 * What `POST /collections/tasks/records/` costs when a raw server does what the contract demands of each create
 * (`lib/durable-creates.ts`): the record with its entries in three indexes, one of which is unique, and the list read
 * that its rule and its reference need. Arguments: the database, the owner's id.
 */
import { Database } from 'bun:sqlite'
import { keyOf } from '../../src/adapters/sql/record-keys.ts'
import { EPOCH, serveDurableCreates } from '../lib/durable-creates.ts'
import { recordBody } from '../lib/record-body.ts'

interface TaskDraft {
  readonly title: string
  readonly notes: string
  readonly due_at: string
  readonly list: number
}

interface ListRow {
  readonly owner_id: number
  readonly data: string
}

const BYTES = 1_024

const [path = '', id] = Bun.argv.slice(2)
const userId = Number(id)

const idsOf = () => {
  using database = new Database(path, { readonly: true, strict: true })
  const collection = database
    .query<{ id: number; shape: number }, []>("SELECT id, shape FROM collections WHERE name = 'tasks'")
    .get()
  if (collection === null) throw new Error('there is no collection tasks')
  return collection
}

const { id: collectionId, shape } = idsOf()
/** Of no collection. */
const [BY_LIST, BY_TITLE, BY_DUE_TIME] = [1_000_001, 1_000_002, 1_000_003]

serveDurableCreates<TaskDraft>({
  path,
  userId,
  route: '/api/v1/collections/tasks/records/',
  table: 'records',
  terms: `@${userId} @c${collectionId}`,
  event: { name: 'task.created', kind: 'tasks' },
  prepare(database) {
    const insert = database.prepare(
      `INSERT INTO records (collection_id, owner_id, version, epoch, created_at, updated_at, bytes, shape, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    const put = database.prepare(
      'INSERT INTO record_keys (index_id, key, created_at, record_id, is_unique) VALUES (?, ?, ?, ?, ?)',
    )
    const equal = database.prepare('SELECT 1 FROM record_keys WHERE index_id = ? AND key = ? LIMIT 1')
    const listOf = database.prepare<ListRow, [number]>('SELECT owner_id, data FROM records WHERE id = ?')
    return (draft, now) => {
      const list = listOf.get(draft.list)
      const isMember = list !== null && (list.owner_id === userId || JSON.parse(list.data).members.includes(userId))
      if (!isMember) throw new Error('the list is not theirs')
      const data = JSON.stringify({ ...draft, done: false })
      const { lastInsertRowid } = insert.run(collectionId, userId, 1, EPOCH, now, now, BYTES, shape, data)
      const row = { id: Number(lastInsertRowid), owner_id: userId, version: 1, created_at: now, updated_at: now, data }
      const title = keyOf([draft.list, draft.title])
      if (equal.get(BY_TITLE, title) !== null) throw new Error('another task has the title')
      put.run(BY_TITLE, title, now, row.id, 1)
      put.run(BY_LIST, keyOf([draft.list]), now, row.id, 0)
      put.run(BY_DUE_TIME, keyOf([Date.parse(draft.due_at)]), now, row.id, 0)
      return { id: row.id, text: `${draft.title}\n${draft.notes}`, body: recordBody(row) }
    }
  },
})
