import { expect, test } from 'bun:test'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRecords, home } from '../support/definitions-folder.ts'
import { list, TITLE, task } from '../support/lists.ts'
import { serve } from '../support/process.ts'
import { isShared } from '../support/stack.ts'

test('apply creates and changes collections, prints what it did, and then has nothing to do', async () => {
  using at = home()
  at.write('tasks.json', task())
  at.write('lists.json', list())
  expect(await at.skep('collections', 'apply', 'definitions')).toMatchObject({
    code: 0,
    stdout: 'Created lists\nCreated tasks\n',
    stderr: '',
  })
  expect(await at.skep('collections', 'apply', 'definitions')).toMatchObject({ code: 0, stdout: 'Nothing to change\n' })
  at.write('lists.json', list(TITLE, { owner: 'keep' }))
  expect(await at.skep('collections', 'apply', 'definitions')).toMatchObject({ code: 0, stdout: 'Changed lists\n' })
})

test('apply --check prints what would change, exits 1 and changes nothing', async () => {
  using at = home()
  await at.skep('migrate')
  at.write('lists.json', list())
  const check = () => at.skep('collections', 'apply', 'definitions', '--check')
  const planned = { code: 1, stdout: 'Would create lists\n', stderr: '' }
  expect(await check()).toMatchObject(planned)
  expect(await check()).toMatchObject(planned)
  await at.skep('collections', 'apply', 'definitions')
  expect(await check()).toMatchObject({ code: 0, stdout: 'Nothing to change\n' })
})

test('apply --prune deletes empty collections without a file, and none that has records', async () => {
  using at = home()
  at.write('lists.json', list())
  at.write('tasks.json', task())
  await at.skep('collections', 'apply', 'definitions')
  rmSync(join(at.definitions, 'tasks.json'))
  expect((await at.skep('collections', 'apply', 'definitions')).stdout).toBe('Nothing to change\n')
  expect((await at.skep('collections', 'apply', 'definitions', '--prune')).stdout).toBe('Deleted tasks\n')

  await createRecords(at, 'lists', [{ title: 'a' }])
  rmSync(join(at.definitions, 'lists.json'))
  expect(await at.skep('collections', 'apply', 'definitions', '--prune')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'The collection lists has records (1), so it is not deleted\n',
  })
})

test('apply with records that do not fit prints their number and the first ten, and changes nothing', async () => {
  using at = home()
  at.write('lists.json', list())
  await at.skep('collections', 'apply', 'definitions')
  await createRecords(
    at,
    'lists',
    Array.from({ length: 12 }, () => ({ title: 'a long title' })),
  )
  at.write('lists.json', list({ title: { type: 'string', maxLength: 5 } }))
  at.write('tasks.json', task())
  const { code, stdout, stderr } = await at.skep('collections', 'apply', 'definitions')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  const [first, ...records] = stderr.trimEnd().split('\n')
  expect(first).toBe('12 records do not fit this definition')
  expect(records).toHaveLength(10)
  for (const line of records) expect(line).toMatch(/^ {2}lists \d+ \/title: /)
  at.write('lists.json', list())
  expect((await at.skep('collections', 'apply', 'definitions', '--check')).stdout).toBe('Would create tasks\n')
})

test('all faults of all files are printed at once, each with its file and its place, and nothing is changed', async () => {
  using at = home()
  at.write('good.json', { ...list(), name: 'good' })
  at.write('broken.json', '{"name": "broken", ')
  at.write('list.json', '[]')
  at.write('lists.json', { ...list({ title: { type: 'string', maxLength: -1 } }), owner: 'nobody' })
  at.write('notes.json', { ...list(), name: 'other' })
  at.write('tasks.json', '{"name": "tasks", "owner": "keep", "owner": "keep", "schema": {"type": "object"}}')
  at.write(
    'things.json',
    '{"name": "things", "schema": {"type": "object", "properties": {"n": {"type": "integer", "maximum": 12345678901234567890}}}}',
  )
  at.write('moved.json', { ...list(), name: 'moved', transform: [{ op: 'remove', path: '/title' }] })
  at.write('rules.json', { ...list(TITLE, { rules: { read: 'record.nothing' } }), name: 'rules' })
  at.write('bad.json', Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1'))
  writeFileSync(join(at.definitions, 'bad.json'), Buffer.from([0x7b, 0xff, 0x7d]))
  mkdirSync(join(at.definitions, 'folder.json'))
  for (const args of [
    ['collections', 'apply', 'definitions'],
    ['collections', 'apply', 'definitions', '--check'],
    ['types', '--dir', 'definitions'],
  ]) {
    const { code, stdout, stderr } = await at.skep(...args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toEqual([
      'bad.json: Expected UTF-8',
      'broken.json: Expected JSON',
      'folder.json: Expected a file',
      'list.json: Expected an object',
      expect.stringMatching(/^lists\.json \/schema\/properties\/title\/maxLength: /),
      expect.stringMatching(/^lists\.json \/owner: /),
      expect.stringMatching(/^moved\.json \/transform: /),
      'notes.json /name: Expected the name of the file, notes',
      expect.stringMatching(/^rules\.json \/rules\/read: .*position/),
      'tasks.json /owner: Another member of this object has the same name',
      'things.json /schema/properties/n/maximum: Expected a number that a double can hold',
    ])
  }
  const names = ['bad', 'broken', 'list', 'lists', 'moved', 'notes', 'rules', 'tasks', 'things']
  for (const name of names) rmSync(join(at.definitions, `${name}.json`))
  rmSync(join(at.definitions, 'folder.json'), { recursive: true })
  expect((await at.skep('collections', 'apply', 'definitions')).stdout).toBe('Created good\n')
})

test('a folder that does not exist, or is none, is one line and exit code 1', async () => {
  using at = home()
  at.write('lists.json', list())
  for (const [path, reason] of [
    ['nowhere', 'no such folder'],
    ['definitions/lists.json', 'not a folder'],
  ] as const) {
    expect(await at.skep('collections', 'apply', path)).toMatchObject({ code: 1, stderr: `${path}: ${reason}\n` })
    expect(await at.skep('types', '--dir', path)).toMatchObject({ code: 1, stderr: `${path}: ${reason}\n` })
  }
})

test('export writes every definition in the same bytes after it was applied, and keeps other files', async () => {
  using at = home()
  at.write('tasks.json', task())
  at.write('lists.json', list(TITLE, { indexes: [{ fields: ['title'] }], search: ['title'] }))
  at.write('.hidden.json', 'no definition')
  at.write('README.md', 'About these')
  await at.skep('collections', 'apply', 'definitions')
  expect(await at.skep('collections', 'export', 'definitions')).toMatchObject({
    code: 0,
    stdout: 'Wrote items.json\nWrote lists.json\nWrote tasks.json\n',
  })
  expect(readdirSync(at.definitions).sort()).toEqual([
    '.hidden.json',
    'README.md',
    'items.json',
    'lists.json',
    'tasks.json',
  ])
  expect(at.read('README.md')).toBe('About these')
  expect((await at.skep('collections', 'apply', 'definitions')).stdout).toBe('Nothing to change\n')

  using copy = home()
  for (const name of ['items', 'lists', 'tasks']) copy.write(`${name}.json`, at.read(`${name}.json`))
  expect((await copy.skep('collections', 'apply', 'definitions')).stdout).toBe('Created lists\nCreated tasks\n')
  await copy.skep('collections', 'export', 'exported')
  for (const name of ['items', 'lists', 'tasks']) {
    expect(copy.read(`${name}.json`, 'exported')).toBe(at.read(`${name}.json`))
  }
})

test('a built-in definition is accepted as it is exported, and refused otherwise', async () => {
  using at = home()
  await at.skep('migrate')
  await at.skep('collections', 'export', 'definitions')
  expect((await at.skep('collections', 'apply', 'definitions')).stdout).toBe('Nothing to change\n')
  at.write('items.json', { ...JSON.parse(at.read('items.json')), owner: 'keep' })
  expect(await at.skep('collections', 'apply', 'definitions')).toMatchObject({
    code: 1,
    stderr: 'items.json: This collection is built in: its definition cannot be changed\n',
  })
})

test('wrong usage exits with 2', async () => {
  using at = home()
  expect((await at.skep('collections', 'apply')).code).toBe(2)
  expect((await at.skep('collections', 'apply', 'definitions', '--force')).code).toBe(2)
})

test('types describes the collections of the database, or those of a folder without a database', async () => {
  using at = home()
  at.write('lists.json', list())
  const fromFolder = await at.skep('types', '--dir', 'definitions')
  expect(fromFolder.code).toBe(0)
  expect(fromFolder.stdout).toContain('interface List ')
  expect(readdirSync(at.cwd)).toEqual(['definitions'])
  await at.skep('collections', 'apply', 'definitions')
  const fromDatabase = await at.skep('types', '--out', 'types.ts')
  expect(fromDatabase).toMatchObject({ code: 0, stdout: '' })
  expect(at.read('types.ts', '.')).toBe(fromFolder.stdout)
})

if (!isShared) {
  test('apply refuses an embedded database that is served, in one line; what only reads does not', async () => {
    using at = home()
    at.write('lists.json', list())
    await using skep = await serve({ cwd: at.cwd })
    const { code, stdout, stderr } = await at.skep('collections', 'apply', 'definitions')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^skep: another server has \S+ open\n$/)
    expect((await at.skep('collections', 'apply', 'definitions', '--check')).stdout).toBe('Would create lists\n')
    expect((await at.skep('collections', 'export', 'exported')).code).toBe(0)
    expect((await at.skep('types')).code).toBe(0)
    expect((await skep.call('GET', '//health/ready')).status).toBe(200)
  })
}
