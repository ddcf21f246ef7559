import { expect, test } from 'bun:test'
import { COST, costOf } from '../../../src/adapters/http/costs.ts'

test('the documentation says what requests cost', async () => {
  const page = await Bun.file('docs/errors.md').text()
  for (const row of [
    `| any | ${COST.request} |`,
    `| a page, for each ${COST.rows} rows of \`size\` after the first ${COST.rows} | ${COST.furtherRows} more |`,
    `| a search (\`q\`) | ${COST.search} more |`,
    `| a \`filter\` | ${COST.filter} more |`,
    `| \`expand\`, for each reference in it up to ${COST.maxExpandedReferences} | ${COST.expandedReference} more |`,
    `| a batch, for each operation after the first | ${COST.furtherOperation} more |`,
  ]) {
    expect(page).toContain(row)
  }
})

test.each([
  ['http://a:99999/items?size=100', 5],
  ['/items?size=-1', 1],
  ['/items?size=999', 5],
  ['/items?size=1e9', 1],
  ['/items?q=%E0%A4%A', 5],
  ['/collections/tasks/records?filter=done', 5],
  ['/collections/tasks/records/1?expand=list,list.owner', 3],
  [`/collections/tasks/records/1?expand=${'a,'.repeat(500)}`, 11],
  ['/collections/tasks/records?filter=&expand=&q=', 1],
])('%s costs %d whatever else is wrong with it', (url, cost) => {
  expect(costOf({ method: 'GET', url })).toBe(cost)
})
