import { expect, test } from 'bun:test'
import { openTestStore } from '../../support/store.ts'

const ORDER = 'ORDER BY created_at DESC, id DESC LIMIT 21'

test.each([
  ['everyone’s files', `SELECT * FROM files ${ORDER}`],
  ['one owner’s files', `SELECT * FROM files WHERE owner_id = 1 ${ORDER}`],
  ['one owner’s files, further on', `SELECT * FROM files WHERE owner_id = 1 AND (created_at, id) < (5, 5) ${ORDER}`],
  ['the number of one owner’s files', 'SELECT count(*) FROM files WHERE owner_id = 1'],
  ['the file of a blob', "SELECT 1 FROM files WHERE blob_key = 'x'"],
  ['the links of a file', `SELECT * FROM file_links WHERE file_id = 1 AND expires_at > 5 ${ORDER}`],
  ['links that have expired', 'DELETE FROM file_links WHERE expires_at <= 5'],
  ['the links that a deleted file takes with it', 'DELETE FROM file_links WHERE file_id = 1'],
])('%s are found by an index, without sorting', (_, sql) => {
  const { outside } = openTestStore()
  const plan = outside<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) => detail)
  for (const step of plan) expect(step).toMatch(/ USING (COVERING |INTEGER PRIMARY KEY|INDEX)/)
  expect(plan.join()).not.toContain('TEMP B-TREE')
})
